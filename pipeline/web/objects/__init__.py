"""The objects of the configuration as the REST API has them.

kinds.py     connectors, actions, sources: their types, keys and ids
forms.py     what a client sees of an object, and what it may send back
writing.py   one change of one object, repeated while others change it too
bodies.py    the body and the conditions of a request
"""
