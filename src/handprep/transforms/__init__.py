"""The transforms: one file each."""
