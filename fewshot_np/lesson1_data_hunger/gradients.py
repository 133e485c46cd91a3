"""Autograd in ten lines: `grad` takes a function and returns a function, its derivative.

Here are only numbers. Where a program uses arrays, as on the next page, `np` must be autograd's NumPy.
"""

from autograd import grad


def autograd_in_ten_lines():
    """What `grad` does, shown by the numbers that it gives."""
    def cube(x):  # a program like any other
        return x ** 3

    slope = grad(cube)  # a program again: the derivative with respect to the first argument, 3 x^2
    curvature = grad(grad(cube))  # so it can be differentiated again, 6 x: MAML (lesson 4) needs no more than this

    def loss(params):  # parameters come in a dict; their gradient is a dict with the same keys
        return (params["w"] * 3.0 + params["b"] - 10.0) ** 2

    # one rule: never assign into an array (x[0] = 1) on the way from the parameters to the loss, because autograd
    # cannot follow that; build a new array
    # the numbers: 8, 12 and 12; and, as the loss is (-3)^2 here, 2 (-3) 3 = -18 for w and 2 (-3) = -6 for b
    return {"cube": cube(2.0), "slope": slope(2.0), "curvature": curvature(2.0),
            "gradient": grad(loss)({"w": 2.0, "b": 1.0})}
