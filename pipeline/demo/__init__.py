"""`tidegate demo`: the whole pipeline on embedded servers, a fleet of devices, and the proof that nothing was lost.

Nothing of the product imports this package, except the command line that starts it.
"""
