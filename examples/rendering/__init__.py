"""Synthetic photos of hands with exact ground truth, from a body mesh and from nothing else.

An image is made in this order, one module a step:

    body        a person's right hand and forearm at rest, from the MakeHuman mesh and its shape targets
    pose        the turns of its bones for rock, paper or scissors
    skin        the colour of every point of its surface
    camera      where it is seen from
    light       its look under random lamps, by OpenGL
    background  what is behind it
    exposure    both put together, with shadow and the faults of lens and sensor
    picture     all of the above, and what is known of the result
    folder      many images in a folder, resumable

Each image has its own random numbers, given by a seed and its number, so no image depends on another.
"""
