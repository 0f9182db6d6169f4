"""The look of a mesh under random lamps, drawn by OpenGL without a screen."""

from __future__ import annotations

import os
from types import ModuleType

import numpy as np
import trimesh

from handprep.errors import MissingExtraError
from rendering.camera import Camera
from rendering.vectors import Array, Rng

SUPERSAMPLE = 2  # pixels drawn for one pixel of the image, each way
KEY_LIGHT = (1.8, 3.4, 0.95)  # least and most intensity, and furthest radians off the camera's axis
FILL_LIGHT = (0.4, 1.0, 1.4)


def draw(mesh: trimesh.Trimesh, colours: Array, camera: Camera, rng: Rng) -> tuple[Array, Array]:
    """Draw a mesh before a camera.

    Parameters
    ----------
    mesh
        Surface in the camera's axes.
    colours
        ``(N, 4)`` linear RGBA of its vertices.
    camera
        For its focal length and size; its view has been applied to the mesh already.
    rng
        Where the lamps take their colour, strength and place from.

    Returns
    -------
    colour, depth
        ``(H, W, 3)`` sRGB 0 … 1 and ``(H, W)`` distance, 0 where nothing is; both `SUPERSAMPLE` times
        as wide and high as the image.

    Raises
    ------
    MissingExtraError
        If OpenGL cannot draw without a screen here.
    """
    gl = _pyrender()
    warmth = 1 + rng.uniform(-0.03, 0.14) * np.array([1, 0, -1])  # from cold to warm
    scene = gl.Scene(ambient_light=warmth * rng.uniform(0.15, 0.35))
    skin = gl.MetallicRoughnessMaterial(metallicFactor=0, roughnessFactor=0.55)
    surface = gl.Primitive(
        mesh.vertices, mesh.vertex_normals, indices=mesh.faces, color_0=colours, material=skin
    )
    scene.add(gl.Mesh([surface]))
    scene.add(gl.PerspectiveCamera(2 * np.arctan(camera.size[1] / 2 / camera.focal), znear=0.1))
    for low, high, reach in (KEY_LIGHT, FILL_LIGHT):
        tilt, pan = rng.uniform(-reach, reach, 2)
        place = trimesh.transformations.euler_matrix(tilt, pan, 0)
        scene.add(gl.DirectionalLight(warmth, rng.uniform(low, high)), pose=place)
    renderer = gl.OffscreenRenderer(*SUPERSAMPLE * camera.size)
    try:
        colour, depth = renderer.render(scene)
    finally:
        renderer.delete()
    return colour / 255, depth


def _pyrender() -> ModuleType:
    os.environ.setdefault("PYOPENGL_PLATFORM", "egl")  # read when pyrender is imported
    if not hasattr(np, "infty"):
        setattr(np, "infty", np.inf)  # noqa: B010 - pyrender 0.1.45 uses the name that NumPy 2 dropped
    try:
        import pyrender  # noqa: PLC0415 - only now is the environment ready for it
    except ImportError as error:
        raise MissingExtraError(
            f"pyrender cannot be imported: {error}\nIt needs handprep[examples] and EGL; "
            "on Debian: apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri"
        ) from error
    return pyrender  # type: ignore[no-any-return]
