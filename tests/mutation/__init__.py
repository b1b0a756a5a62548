"""Mutants: whether a module's own tests notice that one of its expressions is another.

``make mutants`` draws places in the sources, changes one at a time, and runs the tests of that module alone. What no
test notices is listed; where a reason says why no test can, it is given.
"""
