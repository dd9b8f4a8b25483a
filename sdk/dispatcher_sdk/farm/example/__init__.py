"""A complete worker: logistic regression in plain Python, whose weights do not depend on what interrupted it.

`data` makes the rows, `model` trains on them, `checkpoints` keeps the weights, `training` joins the three for one task.
"""
