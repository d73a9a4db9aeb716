"""A user's own images: a tree of class folders, an ``.npz`` file, a Hugging Face data set on disk.

An option names them, ``folder:PATH?size=32``; readers list them, one pass over all of them finds
mean, standard deviation and fingerprint, and pixels are read when they are asked for.
"""
