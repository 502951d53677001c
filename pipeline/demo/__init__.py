"""`tidegate demo`: the whole pipeline on embedded servers, simulated devices, and the proof that nothing was lost.

Only the command line imports this package.
"""
