"""Drawing hands and things with OpenGL, from colours and depth to layers with alpha."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import scipy.sparse
import trimesh
from numpy.typing import NDArray

from rendering import light
from rendering.body import Body
from rendering.camera import Camera
from rendering.vectors import Array, Rng


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A surface in the camera's axes, with the linear RGBA of its vertices."""

    vertices: Array
    normals: Array
    faces: NDArray[np.integer]
    colours: Array


class Studio:
    """One OpenGL context, and the matrix that smooths a hand."""

    def __init__(self, body: Body, size: tuple[int, int]) -> None:
        self.body = body
        self.smoothing, self.faces = loop_subdivision(body._faces, len(body._kept))
        self.gl = light._pyrender()
        cv2.setNumThreads(1)
        gl = self.gl.renderer  # four samples a pixel are not needed beside `SUPERSAMPLE`
        storage = gl.glRenderbufferStorageMultisample
        gl.glRenderbufferStorageMultisample = lambda target, _, *rest: storage(target, 0, *rest)
        self.renderer = self.gl.OffscreenRenderer(*(light.SUPERSAMPLE * side for side in size))

    def surface(self, vertices: Array) -> trimesh.Trimesh:
        """Return the smoothed skin of a posed hand."""
        return trimesh.Trimesh(self.smoothing @ vertices, self.faces, process=False)

    def draw(self, mesh: Mesh, view: Camera, rng: Rng) -> tuple[Array, Array]:
        """Return sRGB 0 … 1 and depth; the same generator state gives the same lamps."""
        gl = self.gl
        warmth = 1 + rng.uniform(-0.03, 0.14) * np.array([1, 0, -1])
        scene = gl.Scene(ambient_light=warmth * rng.uniform(0.15, 0.35))
        material = gl.MetallicRoughnessMaterial(metallicFactor=0, roughnessFactor=0.55, doubleSided=True)
        scene.add(
            gl.Mesh(
                [
                    gl.Primitive(
                        mesh.vertices,
                        mesh.normals,
                        indices=mesh.faces,
                        color_0=mesh.colours,
                        material=material,
                    )
                ]
            )
        )
        scene.add(gl.PerspectiveCamera(2 * np.arctan(view.size[1] / 2 / view.focal), znear=0.1))
        for low, high, reach in (light.KEY_LIGHT, light.FILL_LIGHT):
            tilt, pan = rng.uniform(-reach, reach, 2)
            place = trimesh.transformations.euler_matrix(tilt, pan, 0)
            scene.add(gl.DirectionalLight(warmth, rng.uniform(low, high)), pose=place)
        colour, depth = self.renderer.render(scene)
        return colour / 255, depth.astype(np.float64)


def loop_subdivision(
    faces: NDArray[np.integer], count: int, rounds: int = 2
) -> tuple[scipy.sparse.csr_matrix, NDArray[np.integer]]:
    """Return the sparse matrix of Loop's subdivision of `count` vertices, and the finer faces."""
    total = scipy.sparse.identity(count, format="csr")
    for _ in range(rounds):
        pairs = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        edges, of = np.unique(pairs, axis=0, return_inverse=True)
        of = of.reshape(-1)
        opposite = faces[:, [2, 0, 1]].ravel()
        inner = np.bincount(of, minlength=len(edges)) == 2
        rows = np.arange(len(edges))
        share = np.where(inner, 3 / 8, 1 / 2)
        keep = inner[of]
        middle = scipy.sparse.coo_matrix(
            (
                np.concatenate([share, share, np.full(keep.sum(), 1 / 8)]),
                (
                    np.concatenate([rows, rows, of[keep]]),
                    np.concatenate([edges[:, 0], edges[:, 1], opposite[keep]]),
                ),
            ),
            shape=(len(edges), count),
        )
        rim = np.zeros(count, bool)
        rim[edges[~inner]] = True
        around = neighbours(edges, count)
        degree = np.asarray(around.sum(1)).ravel()
        beta = np.where(degree > 3, 3 / (8 * np.maximum(degree, 1)), 3 / 16)
        beta[rim] = 0
        own = np.where(rim, 3 / 4, 1 - degree * beta)
        old = scipy.sparse.diags(own) + scipy.sparse.diags(beta) @ around
        old = old + scipy.sparse.diags(np.where(rim, 1 / 8, 0)) @ neighbours(edges[~inner], count)
        total = scipy.sparse.vstack([old, middle]).tocsr() @ total
        ab, bc, ca = (of.reshape(-1, 3) + count).T
        a, b, c = faces.T
        corners = (a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)
        faces = np.concatenate([np.stack(three, 1) for three in corners])
        count += len(edges)
    return total.tocsr(), faces


def neighbours(edges: NDArray[np.integer], count: int) -> scipy.sparse.csr_matrix:
    """Return which of a number of vertices are joined by edges."""
    both = np.concatenate([edges, edges[:, ::-1]])
    return scipy.sparse.coo_matrix((np.ones(len(both)), both.T), shape=(count, count)).tocsr()


def shade(depth: Array, crease: float) -> Array:
    """Return ambient occlusion as `rendering.exposure` has it, at half the size."""
    height, width = depth.shape
    small = depth[::2, ::2].astype(np.float32)
    solid, total = (small > 0).astype(np.float32), np.zeros_like(small)
    for share in (1, 1 / 3):
        near, weight = (cv2.GaussianBlur(a, (0, 0), crease * share / 2) for a in (small, solid))
        total += np.clip((small - near / np.maximum(weight, 1e-6)) / (0.35 * share), 0, 1) / 2
    return np.where(depth > 0, cv2.resize(total, (width, height)), 0)


def straight(layers: Array) -> NDArray[np.uint8]:
    """Return uint8 colour, not premultiplied, and alpha."""
    layers = layers.copy()
    layers[..., :3] /= np.maximum(layers[..., 3:], 1e-3)
    return (layers.clip(0, 1) * 255).round().astype(np.uint8)
