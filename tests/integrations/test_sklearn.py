"""Features of hands for scikit-learn: rows and names of columns, in pipelines of its own."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from handprep import Hand, HandCropper, HandNotFoundError, InputError, Pipeline, ResizePad, Sample, features
from tests.rendered import photos

sklearn = pytest.importorskip("sklearn", reason="needs handprep[sklearn]")

from sklearn.base import clone  # noqa: E402
from sklearn.ensemble import RandomForestClassifier  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.utils.estimator_checks import (  # noqa: E402
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
    check_set_params,
)

from handprep.integrations.sklearn import LandmarkFeatures  # noqa: E402


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [HandCropper().run(photo.path) for photo in photos()]


@pytest.mark.parametrize(
    "check",
    [
        check_parameters_default_constructible,
        check_no_attributes_set_in_init,
        check_get_params_invariance,
        check_set_params,
    ],
    ids=lambda check: check.__name__,
)
def test_scikit_learns_own_checks_of_what_needs_no_table_of_numbers(check):
    check("LandmarkFeatures", LandmarkFeatures())


@pytest.mark.parametrize(
    "names", ["normalised", "palm_frame", "joint_angles", ("normalised", "joint_angles")]
)
def test_a_row_holds_the_features_of_a_hand_under_their_names(names, samples):
    transformer = LandmarkFeatures(names)
    rows = transformer.fit_transform([sample.hand for sample in samples[:3]])
    chosen = [names] if isinstance(names, str) else names
    expected = np.concatenate([features.FEATURES[name](samples[1].hand).ravel() for name in chosen])
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows[1], expected)
    columns = transformer.get_feature_names_out()
    assert len(columns) == len(set(columns)) == rows.shape[1]
    assert columns[0] == f"{chosen[0]}_{features.NAMES[chosen[0]][0]}"


def test_hands_samples_and_prepared_files_give_the_same_rows(samples, tmp_path):
    sample = Pipeline([HandCropper(), ResizePad(64)]).run(photos()[0].path)
    sample.save(tmp_path / "hand.png")
    rows = LandmarkFeatures().transform([sample.hand, sample, tmp_path / "hand.png"])
    assert (rows == rows[0]).all()


def test_a_classifier_on_features_knows_rendered_hands_and_survives_pickling(samples):
    labels = [photo.label for photo in photos()]
    forest = RandomForestClassifier(random_state=0)
    learned = make_pipeline(LandmarkFeatures(), forest).fit(samples[::2], labels[::2])
    assert learned.score(samples[1::2], labels[1::2]) > 0.8
    again = pickle.loads(pickle.dumps(learned))
    np.testing.assert_array_equal(again.predict(samples), learned.predict(samples))


def test_features_are_a_parameter_that_a_search_can_choose(samples):
    labels = [photo.label for photo in photos()]
    pipeline = make_pipeline(LandmarkFeatures(), RandomForestClassifier(20, random_state=0))
    search = GridSearchCV(pipeline, {"landmarkfeatures__features": ["normalised", "joint_angles"]}, cv=2)
    assert search.fit(samples, labels).best_params_["landmarkfeatures__features"] in features.FEATURES
    assert clone(LandmarkFeatures("palm_frame")).features == "palm_frame"
    assert LandmarkFeatures().get_feature_names_out().shape == (21 * 2 + 21 * 3,)


def test_a_name_that_is_no_feature_is_refused_when_it_is_fitted():
    with pytest.raises(InputError, match="joint_angles"):
        LandmarkFeatures("fingerprints").fit([])


def test_a_sample_without_a_hand_is_named(tmp_path):
    with pytest.raises(HandNotFoundError, match=r"empty\.jpg has no hand"):
        LandmarkFeatures().transform([Sample(image=np.zeros((9, 9), np.uint8), hands=(), source="empty.jpg")])
    with pytest.raises(InputError, match="depth"):
        LandmarkFeatures().transform([Hand(landmarks=np.ones((21, 2)), box=(0, 0, 1, 1), score=1.0)])
