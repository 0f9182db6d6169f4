"""Training of the matting network that `handprep.segmentation.HandMatte` runs, from data to ONNX file.

One command a step, each a module run from the folder ``examples``; README.md says in which order:

    renders    hands from the renderer beside this package, with exact alpha
    keyed      hands photographed before a screen or a wall, keyed
    scenes     backgrounds
    train      the network, resumable
    evaluate   how good it is on hands and backgrounds that it has not seen
    export     the ONNX file

Behind them are `cutouts` and `bank` (what the data is kept in), `heldout` (what is never trained on),
`compose` (training images from hands, backgrounds and chance, many at once on any device) with `material`,
`shown`, `shapes`, `looks`, `camera`, `jpeg` and `ops`, `studio` (OpenGL), `model`, `losses` and `checkpoint`.
"""
