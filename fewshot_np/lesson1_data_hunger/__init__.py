"""Lesson 1: how many examples does a network need? First: what a network is made of.

Everything in this course is made of three things, which this lesson builds from nothing: `grad`, which differentiates
a program; the dense layer; and the convolution, first as six loops that say what it is, then as one matrix product
that makes it fast. Then a network of such layers is trained from scratch on 1, 2, 5, 10 and 15 drawings of each of 20
characters, and has to recognise new drawings of them. From one drawing of each it does no better than a comparison of
pixels, and every further drawing helps: this is deep learning's *hunger* for data. Few-shot learning, from lesson 2
on, gets by with one example, but only because the network has seen other characters before. So whoever compares
methods has to count both kinds of images, and this lesson begins to.

    python -m fewshot_np.lesson1_data_hunger
"""

# ruff: noqa: I001 - in reading order

from fewshot_np.lesson1_data_hunger.gradients import autograd_in_ten_lines
from fewshot_np.lesson1_data_hunger.layers import conv2d_im2col, conv2d_loops, dense, dense_loops, im2col, pad_images
from fewshot_np.lesson1_data_hunger.learners import nearest_pixels, network_from_scratch
from fewshot_np.lesson1_data_hunger.curve import (
    HELD_OUT,
    SHOTS,
    accuracy_curve,
    split_drawings,
    with_labels,
)
from fewshot_np.lesson1_data_hunger.interval import mean_and_interval, t_factor

__all__ = ["HELD_OUT", "SHOTS", "accuracy_curve", "autograd_in_ten_lines", "conv2d_im2col", "conv2d_loops", "dense",
           "dense_loops", "im2col", "mean_and_interval", "nearest_pixels", "network_from_scratch", "pad_images",
           "split_drawings", "t_factor", "with_labels"]
