"""The public sets: whose they are, where they are, and what makes them complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicSet:
    """One group of photos.

    Attributes
    ----------
    folder
        Where it goes.
    counts
        Photos of each class.
    licence
        Whose it is and under which licence.
    page
        Where people find it.
    archive
        Address of a zip file with a folder for each class, and its sha256; None if there is none.
    kaggle
        Its name on Kaggle; None if it is not there.
    advice
        What to do by hand, beyond sorting photos into folders of classes.
    """

    folder: str
    counts: Mapping[str, int]
    licence: str
    page: str
    archive: tuple[str, str] | None = None
    kaggle: str | None = None
    advice: str = ""


# Sizes and digests of the archives are those that TensorFlow Datasets checks.
GOOGLE = "https://storage.googleapis.com/download.tensorflow.org/data/"
SETS = (
    PublicSet(
        folder="train/cgi",
        counts={"rock": 840, "paper": 840, "scissors": 840},
        licence="Laurence Moroney, CC BY 2.0",
        page="https://www.tensorflow.org/datasets/catalog/rock_paper_scissors",
        archive=(f"{GOOGLE}rps.zip", "c2403444395842ad04c53612bad54b574443eae17a0723117a2ff87b9d72194f"),
    ),
    PublicSet(
        folder="cgi-test",
        counts={"rock": 124, "paper": 124, "scissors": 124},
        licence="Laurence Moroney, CC BY 2.0",
        page="https://www.tensorflow.org/datasets/catalog/rock_paper_scissors",
        archive=(
            f"{GOOGLE}rps-test-set.zip",
            "c27ab9fa43ce40b2e453de711365b477f4424586edf0388116674fd320f07503",
        ),
    ),
    PublicSet(
        folder="train/hands",
        counts={"rock": 726, "paper": 712, "scissors": 750},
        licence="Julien de la Bruère-Terreault, CC BY-SA 4.0",
        page="https://www.kaggle.com/datasets/drgfreeman/rockpaperscissors",
        kaggle="drgfreeman/rockpaperscissors",
    ),
    PublicSet(
        folder="train/webcam",
        counts={"rock": 364, "paper": 291, "scissors": 219},
        licence="SubhiH, Apache-2.0",
        page="https://github.com/SubhiH/HandsDataset",
        advice="Take fists as rock, open hands as paper and two fingers as scissors.",
    ),
    PublicSet(
        folder="train/custom",
        counts={"rock": 250, "paper": 250, "scissors": 250},
        licence="parikshitkumar1, MIT",
        page="https://github.com/parikshitkumar1/Best_Of_One",
    ),
    PublicSet(
        folder="validation/group-a",
        counts={"rock": 100, "paper": 100, "scissors": 95},
        licence="Harikrishnan6336, MIT",
        page="https://github.com/Harikrishnan6336/Rock_Paper_Scissors",
    ),
    PublicSet(
        folder="test/group-b",
        counts={"rock": 72, "paper": 184, "scissors": 76},
        licence="Isuranga-2001, CC BY 4.0",
        page="https://github.com/Isuranga-2001/rock-paper-scissors-yolo",
        advice="Sort the photos by the class of the box in their label file.",
    ),
)
