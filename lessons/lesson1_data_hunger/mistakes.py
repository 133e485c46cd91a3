"""Wrong answers to lesson 1's exercises, each with the thought behind it, and right answers of other kinds."""

import numpy as onp
from autograd import numpy as np

from fewshot_np.nn.primitives import log_softmax
from lessons.teacher.checking import honest, mistake

# ---------------------------------------------------------------- hunger.1: the number of parameters


@mistake("hunger.1", "The biases are missing: only the weights were counted.", "Each output has one more number.")
def weights_alone(n_inputs, n_outputs):
    return n_inputs * n_outputs


@mistake("hunger.1", "A bias was counted for each input.", "The bias is added to the output: one per output.")
def biases_of_the_inputs(n_inputs, n_outputs):
    return n_inputs * n_outputs + n_inputs


@mistake("hunger.1", "One bias was counted for the whole layer.", "Each output has a bias of its own.")
def one_bias(n_inputs, n_outputs):
    return n_inputs * n_outputs + 1


@mistake("hunger.1", "Inputs and outputs were added.", "Every input is connected with every output: multiply.",
         biases=(0, 1))
def one_weight_per_unit(n_inputs, n_outputs, biases):
    return n_inputs + n_outputs + biases * n_outputs


@mistake("hunger.1", "Biases were counted for the inputs, too.",
         "A bias is added to an output. Nothing is added to an input.", one_more=(0, 1))
def biases_on_both_sides(n_inputs, n_outputs, one_more):
    return n_inputs * n_outputs + n_inputs + n_outputs + one_more


@mistake("hunger.1", "A bias was counted for each weight.",
         "The bias is added once, to the sum over the inputs: one per output.")
def a_bias_for_each_weight(n_inputs, n_outputs):
    return 2 * n_inputs * n_outputs


@mistake("hunger.1", "The biases were subtracted.", "They are learned, too: add one for each output.")
def biases_subtracted(n_inputs, n_outputs):
    return n_inputs * n_outputs - n_outputs


@honest("hunger.1")
def parameters_one_by_one(n_inputs, n_outputs):
    count = 0
    for _ in range(n_outputs):
        count += n_inputs + 1
    return count


# ---------------------------------------------------------------- hunger.2: the dense layer


@mistake("hunger.2", "The bias is missing.", "Add b; NumPy adds it to every row.")
def without_bias(x, w, b):
    return np.matmul(x, w)


@mistake("hunger.2", "The bias was added inside the sum over the inputs, D times instead of once.",
         "First sum the products, then add b.")
def bias_inside_the_sum(x, w, b):
    return np.matmul(x, w) + x.shape[1] * b


@mistake("hunger.2", "The products were averaged over the inputs, not summed.",
         "np.sum or a matrix product, not np.mean.")
def averaged_over_inputs(x, w, b):
    return np.matmul(x, w) / x.shape[1] + b


@mistake("hunger.2", "An activation was applied: negative outputs became 0.",
         "The dense layer is linear. What follows it is a function of its own.")
def with_activation(x, w, b):
    return np.maximum(np.matmul(x, w) + b, 0)


@mistake("hunger.2", "Examples and outputs changed places.", "Examples stay in front: (M,D) @ (D,O) gives (M,O).")
def transposed(x, w, b):
    return (np.matmul(x, w) + b).T


@mistake("hunger.2", "An activation was applied: all outputs lie between 0 and 1.", "The layer is linear: x @ w + b.")
def with_sigmoid(x, w, b):
    return 0.5 * (1 + np.tanh((x @ w + b) / 2))


@mistake("hunger.2", "The bias was added to the weights, so that the inputs multiply it, too.",
         "First the product, then the bias: x @ w + b.")
def bias_added_to_the_weights(x, w, b):
    return np.matmul(x, w + b)


@mistake("hunger.2", "The bias was multiplied, not added.", "x @ w + b: an output with a bias of 0 need not be 0.")
def multiplied_by_the_bias(x, w, b):
    return np.matmul(x, w) * b


@mistake("hunger.2", "The bias was subtracted.", "x @ w + b.")
def bias_subtracted(x, w, b):
    return np.matmul(x, w) - b


@mistake("hunger.2", "A softmax was applied: each row sums to 1.", "The layer is linear: x @ w + b.")
def with_softmax(x, w, b):
    return np.exp(log_softmax(x @ w + b))


@mistake("hunger.2", "Only the first example was computed.", "x @ w does it for all rows of x at once.")
def first_row_alone(x, w, b):
    return np.matmul(x[:1], w) + b


@mistake("hunger.2", "Every output got the same bias: the first one, or the sum or the mean of all.",
         "Output o has the bias b[o]: x @ w + b.", of=("first", "sum", "mean"))
def same_bias_for_all(x, w, b, of):
    return np.matmul(x, w) + {"first": b[0], "sum": np.sum(b), "mean": np.mean(b)}[of]


@mistake("hunger.2", "The first or the last input was left out.",
         "range(D) begins at 0 and ends at D - 1 by itself.", which=("last", "first"))
def one_input_left_out(x, w, b, which):
    kept = slice(1, None) if which == "first" else slice(len(w) - 1)
    return np.matmul(x[:, kept], w[kept]) + b


@honest("hunger.2")
def dense_by_loops(x, w, b):
    rows = []
    for m in range(len(x)):
        rows.append([b[o] + sum(x[m, d] * w[d, o] for d in range(len(w))) for o in range(len(b))])
    return np.array(rows)


@honest("hunger.2")
def dense_by_einsum(x, w, b):
    return np.einsum("md,do->mo", x, w) + np.reshape(b, (1, -1))


# ---------------------------------------------------------------- hunger.3: the derivative of the dense layer


@mistake("hunger.3", "The derivatives of w and b were averaged over the examples.",
         "Each example is a path to the loss; paths add up. If the loss is a mean, g already holds the 1/M.")
def averaged_over_examples(x, w, g):
    return g @ w.T, x.T @ g / len(x), g.mean(axis=0)


@mistake("hunger.3", "The derivative of b still has the axis of the examples.",
         "b is added to every row, so every row of g is a path to the loss: sum them.")
def bias_not_summed(x, w, g):
    return g @ w.T, x.T @ g, g


@mistake("hunger.3", "The derivative of b was summed over the outputs instead of the examples.",
         "It must have the shape of b, (O,): sum over axis 0.")
def bias_summed_over_outputs(x, w, g):
    return g @ w.T, x.T @ g, g.sum(axis=1)


@mistake("hunger.3", "The derivatives of x and w changed places.", "Return them in the order of the arguments x, w, b.")
def changed_places(x, w, g):
    return x.T @ g, g @ w.T, g.sum(axis=0)


@mistake("hunger.3", "g was ignored: this is the derivative of the sum of all outputs, as if g were 1 everywhere.",
         "Each path is a product along the way; its last factor is g.")
def cotangent_ignored(x, w, g):
    ones = onp.ones_like(g)
    return ones @ w.T, x.T @ ones, ones.sum(axis=0)


@mistake("hunger.3", "The derivative of w came out transposed.",
         "x is (M,D), g is (M,O), w is (D,O): which product fits?")
def weights_transposed(x, w, g):
    return g @ w.T, g.T @ x, g.sum(axis=0)


@mistake("hunger.3", "The derivative of b was averaged over the examples, not summed.",
         "Every row of g is a path from b to the loss; paths add up.")
def bias_averaged(x, w, g):
    return g @ w.T, x.T @ g, g.mean(axis=0)


@mistake("hunger.3", "All three derivatives were divided by the number of examples.",
         "Nothing is averaged. If the loss is a mean, g already holds the 1/M.")
def all_divided(x, w, g):
    return g @ w.T / len(x), x.T @ g / len(x), g.mean(axis=0)


@mistake("hunger.3", "The derivative of b is one number for all biases.", "One number for each output: g.sum(axis=0).",
         repeated=(False, True))
def one_bias_for_all(x, w, g, repeated):
    return g @ w.T, x.T @ g, onp.full(g.shape[1], g.sum()) if repeated else g.sum()


@mistake("hunger.3", "w was given the shape of its transpose by reshape, which leaves the numbers in their old order.",
         "w.T exchanges rows and columns; w.reshape(O, D) does not.")
def weights_reshaped(x, w, g):
    return g @ w.reshape(w.shape[::-1]), x.T @ g, g.sum(axis=0)


@mistake("hunger.3", "Only one example was used, the first or the last, for w, for b or for both.",
         "Every example contributes to w and b: add them up. In a loop that is dw = dw + ..., not dw = ...",
         of=("w and b", "w", "b", "w and b, the last", "w, the last", "b, the last"))
def one_example_alone(x, w, g, of):
    of, _, last = of.partition(",")
    one = slice(-1, None) if last else slice(1)
    of_w, of_b = (one if name in of else slice(None) for name in "wb")
    return g @ w.T, x[of_w].T @ g[of_w], g[of_b].sum(axis=0)


@mistake("hunger.3", "The derivative of b does not depend on g.", "g.sum(axis=0): b adds 1 for 1, so all of g arrives.",
         value=("ones", "examples"))
def bias_without_g(x, w, g, value):
    return g @ w.T, x.T @ g, onp.full(g.shape[1], 1.0 if value == "ones" else float(len(x)))


@mistake("hunger.3", "The sums were taken before the product, so that numbers of different examples or outputs were "
         "multiplied with each other, which no path connects.",
         "One path is one product, x[m, d] * g[m, o], of the same m. First the products, then the sum.",
         part=("w", "x and w"))
def summed_before_the_product(x, w, g, part):
    dx = g @ w.T if part == "w" else onp.outer(g.sum(axis=1), w.sum(axis=1))
    return dx, onp.outer(x.sum(axis=0), g.sum(axis=0)), g.sum(axis=0)


@mistake("hunger.3", "The derivative of w was averaged over the examples, that of b was not.",
         "Each example is a path to the loss, for w and for b: add them up.")
def weights_averaged(x, w, g):
    return g @ w.T, x.T @ g / len(x), g.sum(axis=0)


@mistake("hunger.3", "The derivative of x does not depend on g.", "Each path ends with the factor g[m, o]: g @ w.T.")
def inputs_without_g(x, w, g):
    return onp.ones_like(g) @ w.T, x.T @ g, g.sum(axis=0)


@mistake("hunger.3", "The derivative of w does not depend on g.", "Each path ends with the factor g[m, o]: x.T @ g.")
def weights_without_g(x, w, g):
    return g @ w.T, x.T @ onp.ones_like(g), g.sum(axis=0)


@mistake("hunger.3", "All signs are turned round.",
         "The derivative as it is: the step downhill subtracts it later, outside of this function.")
def signs_turned_round(x, w, g):
    return -g @ w.T, -x.T @ g, -g.sum(axis=0)


@mistake("hunger.3", "The derivative of w was made of the outputs x w, not of g.",
         "x.T @ g: how large an output is does not matter, only how the loss changes with it.")
def outputs_for_g(x, w, g):
    return g @ w.T, x.T @ (x @ w), g.sum(axis=0)


@honest("hunger.3")
def dense_vjp_by_loops(x, w, g):
    dx, dw, db = onp.zeros_like(x), onp.zeros_like(w), onp.zeros_like(w[0])
    for m, d in onp.ndindex(x.shape):
        for o in range(w.shape[1]):
            dx[m, d] += w[d, o] * g[m, o]
            dw[d, o] += x[m, d] * g[m, o]
    for row in g:
        db += row
    return [dx, dw, db]


# ---------------------------------------------------------------- hunger.4: softmax cross-entropy


def picked(values, labels):
    return values[onp.arange(len(labels)), labels]


@mistake("hunger.4", "exp was taken of the logits as they are; from 710 on it overflows.",
         "Subtract the largest logit of each example first: the softmax stays the same.")
def unstable(logits, labels):
    return np.mean(np.log(np.sum(np.exp(logits), axis=1)) - picked(logits, labels))


@mistake("hunger.4", "The softmax was computed first and its log afterwards; a very small probability is 0 by then.",
         "log(exp(z) / sum) = z - log(sum): take the log on paper, before the computer rounds.")
def log_of_the_softmax(logits, labels):
    p = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    return -np.mean(np.log(picked(p / np.sum(p, axis=1, keepdims=True), labels)))


@mistake("hunger.4", "A small number was added inside the log, or p was clipped: no example costs more than about 30.",
         "Write log(softmax) as z - log(sum(exp(z))) and the log never meets a 0.",
         epsilon=(1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15))
def epsilon_in_the_log(logits, labels, epsilon):
    p = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    return -np.mean(np.log(picked(p / np.sum(p, axis=1, keepdims=True), labels) + epsilon))


@mistake("hunger.4", "The logits were clipped so that exp cannot overflow: then 800 and 2000 are the same.",
         "Subtract the largest logit of each example; that changes nothing but the size.", bound=(50, 100, 500, 700))
def clipped_logits(logits, labels, bound):
    z = np.clip(logits, -bound, bound)
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - picked(z, labels))


@mistake("hunger.4", "The probabilities were averaged first, and the log taken of their mean.",
         "Each example has a loss of its own, -log p; the mean of these losses is asked for.")
def log_of_the_mean(logits, labels):
    z = logits - np.max(logits, axis=1, keepdims=True)
    return -np.log(np.mean(np.exp(picked(z, labels) - np.log(np.sum(np.exp(z), axis=1)))))


@mistake("hunger.4", "The largest logit of the whole batch was subtracted; examples far below it become exp(-999) = 0.",
         "Each example needs its own maximum: axis=1, keepdims=True.")
def maximum_of_the_batch(logits, labels):
    z = logits - np.max(logits)
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - picked(z, labels))


@mistake("hunger.4", "The examples were summed, not averaged.", "Divide by the number of examples, M.")
def summed(logits, labels):
    z = logits - np.max(logits, axis=1, keepdims=True)
    return np.sum(np.log(np.sum(np.exp(z), axis=1)) - picked(z, labels))


@mistake("hunger.4", "The softmax ran over the examples: axis 0.", "The classes of one example compete: axis 1.")
def over_the_examples(logits, labels):
    z = logits - np.max(logits, axis=0, keepdims=True)
    return -np.mean(picked(z - np.log(np.sum(np.exp(z), axis=0)), labels))


@mistake("hunger.4", "This is the log-likelihood; the minus is missing.", "A loss falls as the label gets likelier.")
def without_the_minus(logits, labels):
    z = logits - np.max(logits, axis=1, keepdims=True)
    return np.mean(picked(z, labels) - np.log(np.sum(np.exp(z), axis=1)))


@mistake("hunger.4", "[:, labels] picks, for each example, the classes of *all* labels; the mean has M M terms.",
         "One number per example, that of its own label: [np.arange(M), labels].")
def all_labels_for_each_example(logits, labels):
    z = logits - np.max(logits, axis=1, keepdims=True)
    return np.mean((np.log(np.sum(np.exp(z), axis=1, keepdims=True)) - z)[:, labels])


@mistake("hunger.4", "This is the squared error of the softmax.", "-log of the label's probability, and nothing else.")
def squared_error(logits, labels):
    p = np.exp(log_softmax(logits))
    return np.mean(np.sum((p - onp.eye(logits.shape[1])[labels]) ** 2, axis=1))


@mistake("hunger.4", "The mean went over all numbers of the table (M,N), so the sum was divided by N, too.",
         "One number for each example, then the mean of M numbers.")
def divided_by_classes_too(logits, labels):
    return -np.mean(log_softmax(logits) * onp.eye(logits.shape[1])[labels])


@mistake("hunger.4", "The log-probabilities of all classes were added up, whatever the label.",
         "Only that of the label: z[range(M), labels].")
def sum_over_all_classes(logits, labels):
    return -np.mean(np.sum(log_softmax(logits), axis=1))


@mistake("hunger.4", "The maximum was subtracted in one place and not in the other.",
         "log sum exp(z) = max + log sum exp(z - max).")
def maximum_not_added_again(logits, labels):
    largest = np.max(logits, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(logits - largest), axis=1)) - picked(logits, labels))


@mistake("hunger.4", "The most likely class was taken in place of the label.", "-log of the *label's* probability.")
def most_likely_for_label(logits, labels):
    return -np.mean(np.max(log_softmax(logits), axis=1))


@mistake("hunger.4", "This is 1 - p, without a logarithm.", "-log p grows without end where p goes to 0.")
def one_less_p(logits, labels):
    return np.mean(1 - np.exp(picked(log_softmax(logits), labels)))


@mistake("hunger.4", "The logarithm is not the natural one.", "np.log, whose base is e: it undoes exp.", base=(2, 10))
def another_logarithm(logits, labels, base):
    return -np.mean(picked(log_softmax(logits), labels)) / np.log(base)


@mistake("hunger.4", "The logarithms of 1 - p of the other classes were added: that is the binary cross-entropy.",
         "The softmax makes the other classes unlikely by itself: -log p of the label, and nothing else.")
def binary_cross_entropy(logits, labels):
    p, one_hot = np.exp(log_softmax(logits)), onp.eye(logits.shape[1])[labels]
    return -np.mean(np.sum(one_hot * np.log(p + 1e-12) + (1 - one_hot) * np.log(1 - p + 1e-12), axis=1))


@mistake("hunger.4", "The mean of each example's logits was subtracted, not the largest: exp can still overflow.",
         "np.max(logits, axis=1, keepdims=True): then no logit is above 0.")
def mean_logit_subtracted(logits, labels):
    z = logits - np.mean(logits, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - picked(z, labels))


@mistake("hunger.4", "The sum was divided by the number of classes, not of examples.", "The mean over the M examples.")
def divided_by_classes(logits, labels):
    return -np.sum(picked(log_softmax(logits), labels)) / logits.shape[1]


@mistake("hunger.4", "The smallest logit of each example was subtracted, not the largest: exp can still overflow.",
         "np.max(logits, axis=1, keepdims=True): then no logit is above 0.")
def smallest_logit_subtracted(logits, labels):
    z = logits - np.min(logits, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - picked(z, labels))


@mistake("hunger.4", "Inside the logarithm stands the mean of the exp(z[k]), not their sum.",
         "softmax(z)[n] = exp(z[n]) / sum over k of exp(z[k]): np.sum over the classes.")
def mean_of_exps(logits, labels):
    return -np.mean(picked(log_softmax(logits), labels)) - np.log(logits.shape[1])


@honest("hunger.4")
def cross_entropy_by_loops(logits, labels):
    total = 0.0
    for row, label in zip(logits, labels, strict=True):
        largest = np.max(row)
        total = total + largest + np.log(sum(np.exp(z - largest) for z in row)) - row[label]
    return total / len(labels)


@honest("hunger.4")
def cross_entropy_by_one_hot(logits, labels):
    z = logits - onp.max(getattr(logits, "_value", logits))  # moved by any constant: what counts is each row's own
    z = z - np.max(z, axis=1, keepdims=True)
    return np.sum(onp.eye(logits.shape[1])[labels] * (np.log(np.sum(np.exp(z), axis=1, keepdims=True)) - z)) / len(z)


# ---------------------------------------------------------------- hunger.5: the convolution by loops


def convolve(x, w, stride, patch_at=lambda image, y, x, kh, kw: image[y:y + kh, x:x + kw], out_size=None):
    """Right as it stands; the mistakes change a part of it."""
    kh, kw = w.shape[:2]
    height, width = out_size or ((x.shape[1] - kh) // stride + 1, (x.shape[2] - kw) // stride + 1)
    return np.array([[[[np.sum(patch_at(image, stride * i, stride * j, kh, kw) * w[..., o])
                        for o in range(w.shape[3])] for j in range(width)] for i in range(height)] for image in x])


@mistake("hunger.5", "The kernel was turned over. That is the mathematician's convolution.",
         "What the field calls convolution pairs the first pixel of the patch with the first weight.")
def turned_over(x, w, stride):
    return convolve(x, w[::-1, ::-1], stride)


@mistake("hunger.5", "Only the first channel of the image was used.",
         "Sum over c as well: the kernel has weights for each.")
def first_channel_alone(x, w, stride):
    return convolve(x[..., :1], w[:, :, :1], stride)


@mistake("hunger.5", "The output is smaller by the stride, but the kernel still moves by one pixel.",
         "The patch of the output's row r begins at the row stride * r.")
def stride_in_the_shape_alone(x, w, stride):
    height, width = (x.shape[1] - w.shape[0]) // stride + 1, (x.shape[2] - w.shape[1]) // stride + 1
    return convolve(x, w, 1, out_size=(height, width))


@mistake("hunger.5", "The stride was ignored.", "The kernel moves on by `stride` pixels, in both directions.")
def stride_ignored(x, w, stride):
    return convolve(x, w, 1)


@mistake("hunger.5", "The kernel moves on by `stride` from row to row, but from column to column still by one pixel.",
         "The same stride in both directions.")
def stride_for_the_rows_alone(x, w, stride):
    return convolve(x, w, 1)[:, ::stride]


@mistake("hunger.5", "The last place of the kernel is missing: H - kh places instead of H - kh + 1.",
         "A kernel as large as the image has one place, not none.")
def last_place_missing(x, w, stride):
    height, width = (-(-(n - k) // stride) for n, k in zip(x.shape[1:3], w.shape[:2], strict=True))
    return convolve(x, w, stride, out_size=(height, width))


@mistake("hunger.5", "The image got a margin of zeros, so the output is as large as the image.",
         "Only places where the kernel lies inside the image count.")
def with_a_margin(x, w, stride):
    kh, kw = w.shape[:2]
    top, left = (kh - 1) // 2, (kw - 1) // 2
    padded = np.pad(x, ((0, 0), (top, kh - 1 - top), (left, kw - 1 - left), (0, 0)), "constant")
    return convolve(padded, w, stride)


@mistake("hunger.5", "The products were averaged, not summed.", "np.sum, not np.mean: a convolution is a weighted sum.",
         over=("all", "channels", "pixels"))
def averaged_over_the_patch(x, w, stride, over):
    pixels, channels = w.shape[0] * w.shape[1], w.shape[2]
    return convolve(x, w, stride) / {"all": pixels * channels, "channels": channels, "pixels": pixels}[over]


@mistake("hunger.5", "The image got zeros at its right and lower end, so the output is as large as the image.",
         "Only places where the kernel lies inside the image count.")
def with_zeros_at_the_end(x, w, stride):
    kh, kw = w.shape[:2]
    return convolve(np.pad(x, ((0, 0), (0, kh - 1), (0, kw - 1), (0, 0)), "constant"), w, stride)


@mistake("hunger.5", "There are (H - kh + 1) // stride places: where this division leaves a rest, the last one is "
         "missing.", "(H - kh) // stride + 1: the first place counts whatever the stride is.")
def places_rounded_down(x, w, stride):
    size = [(n - k + 1) // stride for n, k in zip(x.shape[1:3], w.shape[:2], strict=True)]
    return convolve(x, w, stride, out_size=size)


@mistake("hunger.5", "The kernels stand in front of the places, (M,O,H',W'), as in PyTorch.",
         "The maps are the channels of the result, and channels come last: (M,H',W',O).")
def kernels_in_front(x, w, stride):
    return np.transpose(convolve(x, w, stride), (0, 3, 1, 2))


@mistake("hunger.5", "The channels were added up before the kernel came, so that all of them get the same weights.",
         "The kernel has weights of its own for each channel: x[..., c] * w[..., c, o], then the sum over c.")
def channels_added_up(x, w, stride):
    return convolve(np.sum(x, axis=3, keepdims=True), np.sum(w, axis=2, keepdims=True), stride)


@mistake("hunger.5", "The map has the right size, but its patches move on by `stride` in one direction alone.",
         "x[m, stride * r + i, stride * s + j, c]: rows and columns alike.", direction=("down", "across"))
def stride_in_one_direction(x, w, stride, direction):
    height, width = (x.shape[1] - w.shape[0]) // stride + 1, (x.shape[2] - w.shape[1]) // stride + 1
    every = convolve(x, w, 1)
    return every[:, ::stride, :width] if direction == "down" else every[:, :height, ::stride]


@mistake("hunger.5", "The kernel was turned over in one direction.", "w[i, j] meets the pixel (i, j) of the patch.",
         axis=(0, 1))
def turned_over_in_one_direction(x, w, stride, axis):
    return convolve(x, w[::-1] if axis == 0 else w[:, ::-1], stride)


@mistake("hunger.5", "A ReLU was applied: negative numbers became 0.",
         "The convolution is linear. The ReLU comes later.")
def with_relu(x, w, stride):
    return np.maximum(convolve(x, w, stride), 0)


@mistake("hunger.5", "The kernels were added up: one map came back, not O.", "A map for each kernel: w[:, :, :, o].")
def kernels_added_up(x, w, stride):
    return np.sum(convolve(x, w, stride), axis=3, keepdims=True)


@mistake("hunger.5", "Rows and columns of the map changed places.",
         "Axis 1 is the row of the place, axis 2 its column: (M,H',W',O).")
def map_transposed(x, w, stride):
    return np.transpose(convolve(x, w, stride), (0, 2, 1, 3))


@mistake("hunger.5", "The kernel moved on by its own size, not by `stride`.",
         "The next patch begins `stride` pixels further, so patches may overlap.")
def steps_of_the_kernel(x, w, stride):
    return convolve(x, w, 1)[:, ::w.shape[0], ::w.shape[1]]


@mistake("hunger.5", "Height and width of the kernel changed places: its weights, or its places, or the patches, are "
         "those of a kernel of kw x kh.",
         "w is (kh,kw,C,O): kh, kw = w.shape[:2]. The height belongs to the rows of the image.",
         of=("places and patches", "places", "weights"))
def kernel_sides_exchanged(x, w, stride, of):
    kw, kh = w.shape[:2]
    size = [len(range(0, n - k + 1, stride)) for n, k in zip(x.shape[1:3], (kh, kw), strict=True)]
    if of == "places":
        return convolve(x, w, stride, out_size=size)
    if of == "weights":
        return convolve(x, np.transpose(w, (1, 0, 2, 3)), stride)
    return convolve(x, w, stride, lambda image, y, x, *_: image[y:y + kh, x:x + kw], out_size=size)


@honest("hunger.5")
def convolution_by_six_loops(x, w, stride):
    (images, height, width, channels), (kh, kw, _, filters) = x.shape, w.shape
    out = []
    for image in range(images):
        for top in range(0, height - kh + 1, stride):
            for left in range(0, width - kw + 1, stride):
                for o in range(filters):
                    out.append(sum(x[image, top + i, left + j, c] * w[i, j, c, o]
                                   for i in range(kh) for j in range(kw) for c in range(channels)))
    return np.reshape(np.array(out), (images, (height - kh) // stride + 1, (width - kw) // stride + 1, filters))


@honest("hunger.5")
def convolution_by_tensordot(x, w, stride):
    kh, kw = w.shape[:2]
    places = [(i, j) for i in range(kh) for j in range(kw)]
    (_, height, width, _) = x.shape
    return sum(np.matmul(x[:, i:height - kh + 1 + i:stride, j:width - kw + 1 + j:stride], w[i, j]) for i, j in places)


# ---------------------------------------------------------------- hunger.6: im2col


def patches_of(x, kh, kw, step=1):
    """[(i, j, the patch (M,kh,kw,C) there), ...] by rows."""
    return [[x[:, i:i + kh, j:j + kw] for j in range(0, x.shape[2] - kw + 1, step)]
            for i in range(0, x.shape[1] - kh + 1, step)]


def stacked(patches, axes=(0, 1, 2, 3)):
    """Each patch as a row, its axes in the order `axes`; the places as axes 1 and 2."""
    rows = [[np.reshape(np.transpose(patch, axes), (len(patch), -1)) for patch in row] for row in patches]
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


@mistake("hunger.6", "Each row holds the patch channel by channel.",
         "The kernel (kh,kw,C,O) keeps the channels of a pixel together: C runs fastest.")
def channel_by_channel(x, kh, kw):
    return stacked(patches_of(x, kh, kw), (0, 3, 1, 2))


@mistake("hunger.6", "Each row holds the patch column by column.",
         "In the kernel (kh,kw,C,O) the column j runs faster than the row i.")
def column_by_column(x, kh, kw):
    return stacked(patches_of(x, kh, kw), (0, 2, 1, 3))


@mistake("hunger.6", "All places of the kernel stand on one axis.",
         "Keep the rows and columns of the output as two axes.")
def places_on_one_axis(x, kh, kw):
    rows = stacked(patches_of(x, kh, kw))
    return np.reshape(rows, (rows.shape[0], -1, rows.shape[3]))


@mistake("hunger.6", "The patches do not overlap: the kernel moved on by its own size.",
         "At stride 1 the kernel moves on by one pixel.")
def without_overlap(x, kh, kw):
    return stacked([row[::kw] for row in patches_of(x, kh, kw)[::kh]])


@mistake("hunger.6", "The last row and the last column of places are missing: H - kh instead of H - kh + 1.",
         "range(H - kh + 1): the last patch ends with the last pixel.")
def last_places_missing(x, kh, kw):
    return stacked(patches_of(x, kh, kw))[:, :-1, :-1]


@mistake("hunger.6", "Each row holds the patch from its last pixel to its first.", "Row by row, from the top left.")
def backwards(x, kh, kw):
    return stacked([[patch[:, ::-1, ::-1] for patch in row] for row in patches_of(x, kh, kw)])


@mistake("hunger.6", "The list of patches, place after place, was given its shape by a reshape: images and places are "
         "mixed.", "np.array(list) has the places in front, (places,M,...). Move the images to the front, by a "
         "transpose or np.stack(..., axis=1), and only then split the places into rows and columns.")
def images_and_places_mixed(x, kh, kw):
    patches = patches_of(x, kh, kw)
    rows = np.array([np.reshape(patch, (len(x), -1)) for row in patches for patch in row])
    return np.reshape(rows, (len(x), len(patches), len(patches[0]), -1))


@mistake("hunger.6", "The places stand column by column.", "Axis 1 is the row of the place, axis 2 its column.")
def places_column_by_column(x, kh, kw):
    return np.transpose(stacked(patches_of(x, kh, kw)), (0, 2, 1, 3))


@mistake("hunger.6", "The patch was transposed before it was made a row: its last axis runs slowest.",
         "reshape(-1) without .T: [i, j, c], c runs fastest.")
def patch_transposed(x, kh, kw):
    return stacked(patches_of(x, kh, kw), (0, 3, 2, 1))


@mistake("hunger.6", "kh and kw are exchanged: the patches are kw high and kh wide.", "x[:, i:i + kh, j:j + kw].",
         of=("patches", "patches and places"))
def sides_exchanged(x, kh, kw, of):
    sides = (kw, kh) if "places" in of else (kh, kw)
    places = (range(x.shape[n + 1] - side + 1) for n, side in enumerate(sides))
    rows, columns = map(list, places)
    return np.array([[[np.ravel(image[i:i + kw, j:j + kh]) for j in columns] for i in rows] for image in x])


@mistake("hunger.6", "Each patch is still an image: the result has the axes kh, kw and C.",
         "np.reshape(patch, (len(x), -1)) lays it out as a row of kh * kw * C numbers.")
def patches_as_images(x, kh, kw):
    return np.stack([np.stack(row, axis=1) for row in patches_of(x, kh, kw)], axis=1)


@mistake("hunger.6", "The places stand on the last axis and the patch before them.",
         "A patch is a row: its kh * kw * C numbers are the last axis, (M,H',W',kh*kw*C).")
def places_last(x, kh, kw):
    return np.moveaxis(stacked(patches_of(x, kh, kw)), 3, 1)


@mistake("hunger.6", "The image got zeros at its end, so that there are H W places.",
         "Only places where the kernel lies inside the image: H - kh + 1 and W - kw + 1.")
def with_zeros_at_the_end_of_the_image(x, kh, kw):
    return stacked(patches_of(np.pad(x, ((0, 0), (0, kh - 1), (0, kw - 1), (0, 0)), "constant"), kh, kw))


@mistake("hunger.6", "The channels were added up.", "A row keeps every channel of each pixel: kh * kw * C numbers.")
def channels_added(x, kh, kw):
    return stacked(patches_of(np.sum(x, axis=3, keepdims=True), kh, kw))


@mistake("hunger.6", "The places stand in front of the images: (H',W',M,...).",
         "The images are the first axis: (M,H',W',kh*kw*C).")
def places_before_images(x, kh, kw):
    return np.moveaxis(stacked(patches_of(x, kh, kw)), 0, 2)


@mistake("hunger.6", "The shifted images, one for each pixel of the kernel, got their shape by a reshape: places and "
         "pixels of the kernel are mixed.",
         "np.array(list) has the pixels of the kernel in front, (kh*kw,M,...). They belong beside the channels: "
         "np.concatenate(list, axis=-1).")
def shifted_images_reshaped(x, kh, kw):
    height, width = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    shifted = np.array([x[:, i:i + height, j:j + width] for i in range(kh) for j in range(kw)])
    return np.reshape(shifted, (len(x), height, width, -1))


@honest("hunger.6")
def im2col_patch_by_patch(x, kh, kw):
    return stacked(patches_of(x, kh, kw))


# ---------------------------------------------------------------- hunger.7: the derivative of max pooling


def windows(x):
    """Whole 2 x 2 windows: (M,H,W,C) -> (M,H//2,W//2,4,C), the four pixels in reading order."""
    m, h, w, c = x.shape
    x = x[:, :h - h % 2, :w - w % 2].reshape(m, h // 2, 2, w // 2, 2, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(m, h // 2, w // 2, 4, c)


def back(parts, shape):
    """The inverse of `windows`, 0 where there was no whole window."""
    (m, h, w, _, c), out = parts.shape, onp.zeros(shape)
    out[:, :2 * h, :2 * w] = parts.reshape(m, h, w, 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(m, 2 * h, 2 * w, c)
    return out


def first_maximum(x):
    """1 for the first maximum of each window, else 0."""
    pixels = windows(x)
    return onp.arange(4)[:, None] == pixels.argmax(axis=3)[:, :, :, None]


def largest(x):
    return windows(x) == windows(x).max(axis=3, keepdims=True)


@mistake("hunger.7", "Every pixel that equals the maximum got the whole of g.",
         "Pooling took one of them. Where several are the largest, only the first in reading order counts.")
def to_all_ties(x, g):
    return back(largest(x) * g[:, :, :, None], x.shape)


@mistake("hunger.7", "g was divided among the pixels that equal the maximum.",
         "That is a possible choice, and autograd's for np.max; here the first in reading order gets it all.")
def divided_among_ties(x, g):
    return back(largest(x) / largest(x).sum(axis=3, keepdims=True) * g[:, :, :, None], x.shape)


@mistake("hunger.7", "Where several pixels are the largest, g went to the last of them.",
         "Replace the maximum found so far only by a pixel that is truly larger: > and not >=.")
def to_the_last_tie(x, g):
    last = 3 - windows(x)[:, :, :, ::-1].argmax(axis=3)
    return back((onp.arange(4)[:, None] == last[:, :, :, None]) * g[:, :, :, None], x.shape)


@mistake("hunger.7", "This is the derivative of average pooling: a quarter of g for each pixel.",
         "A pixel below the maximum can change a little without changing the output: its derivative is 0.")
def average_pooling(x, g):
    return back(onp.ones((4, 1)) * g[:, :, :, None] / 4, x.shape)


@mistake("hunger.7", "g was multiplied with the pixel.",
         "The output *is* that pixel; its derivative is 1, whatever its value.")
def times_the_pixel(x, g):
    return back(first_maximum(x) * windows(x) * g[:, :, :, None], x.shape)


@mistake("hunger.7", "g was ignored: the maxima got 1.",
         "1 is the derivative of the output; times g it is that of the loss.")
def mask_alone(x, g):
    return back(first_maximum(x) * onp.ones_like(g)[:, :, :, None], x.shape)


@mistake("hunger.7", "The maximum was taken over the channels as well.", "Each channel is pooled by itself.")
def one_maximum_for_all_channels(x, g):
    best = windows(x) == windows(x).max(axis=(3, 4), keepdims=True)
    return back(best * first_maximum(x) * g[:, :, :, None], x.shape)


@mistake("hunger.7", "A window without a positive pixel got nothing. Did the search for the maximum begin at 0, or was "
         "a ReLU taken along?", "Negative pixels have a maximum, too: begin with the first pixel of the window.")
def search_from_zero(x, g):
    return back(first_maximum(x) * (windows(x) > 0) * g[:, :, :, None], x.shape)


@mistake("hunger.7", "One place was chosen for all channels of a window.", "Each channel has a maximum of its own.",
         by=("largest", "sum"))
def one_place_for_all_channels(x, g, by):
    place = (windows(x).max(axis=4) if by == "largest" else windows(x).sum(axis=4)).argmax(axis=3)
    return back((onp.arange(4) == place[..., None])[..., None] * g[:, :, :, None], x.shape)


@mistake("hunger.7", "Of several largest pixels the first was taken column by column.",
         "Reading order: the first row from left to right, then the second.")
def first_by_columns(x, g):
    order = onp.array([0, 2, 1, 3])
    place = order[windows(x)[:, :, :, order].argmax(axis=3)]
    return back((onp.arange(4)[:, None] == place[:, :, :, None]) * g[:, :, :, None], x.shape)


@mistake("hunger.7", "Every pixel of the window got g.",
         "Only the one that was the maximum: the others did not matter.")
def to_the_whole_window(x, g):
    parts = windows(x)
    return back(onp.ones_like(parts) * g[:, :, :, None], x.shape)


@mistake("hunger.7", "g went to the *smallest* pixel.", "To the largest.")
def to_the_minimum(x, g):
    parts = windows(x)
    first = (parts == parts.min(axis=3, keepdims=True)).cumsum(axis=3).cumsum(axis=3) == 1
    return back(first * g[:, :, :, None], x.shape)


@mistake("hunger.7", "Row and column of the maximum changed places inside the window.",
         "The pixels are counted row by row: row, column = divmod(k, 2).")
def row_and_column_exchanged(x, g):
    place = onp.array([0, 2, 1, 3])[windows(x).argmax(axis=3)]
    return back((onp.arange(4)[:, None] == place[:, :, :, None]) * g[:, :, :, None], x.shape)


@mistake("hunger.7", "The pixel of the largest *absolute* value got g.",
         "-5 is less than 1: the maximum, without abs.")
def largest_absolute_value(x, g):
    place = abs(windows(x)).argmax(axis=3)
    return back((onp.arange(4)[:, None] == place[:, :, :, None]) * g[:, :, :, None], x.shape)


@mistake("hunger.7", "The largest pixel of the whole channel got g, not the largest of each window.",
         "Each window of 2 x 2 pixels has a maximum of its own.")
def largest_of_the_image(x, g):
    best = windows(x) == windows(x).max(axis=(1, 2, 3), keepdims=True)
    return back(best * g[:, :, :, None], x.shape)


@mistake("hunger.7", "The maximum itself stands in its place, not g.", "The derivative of the loss, g, goes there.")
def maximum_for_g(x, g):
    return back(first_maximum(x) * windows(x) * onp.ones_like(g)[:, :, :, None], x.shape)


@mistake("hunger.7", "The last row or column that is in no window was cut off.",
         "The derivative is shaped like x: np.zeros(x.shape), and 0 where there is no window.")
def without_the_rest(x, g):
    shape = (len(x), 2 * g.shape[1], 2 * g.shape[2], g.shape[3])
    return back(first_maximum(x) * g[:, :, :, None], shape)


@mistake("hunger.7", "The windows overlap: each begins one pixel after the last.",
         "Windows of 2 x 2 begin at 2 i, 2 j.")
def overlapping_windows(x, g):
    out = onp.zeros(x.shape)
    for m, i, j, c in onp.ndindex(g.shape):
        row, column = divmod(x[m, i:i + 2, j:j + 2, c].argmax(), 2)
        out[m, i + row, j + column, c] += g[m, i, j, c]
    return out


@honest("hunger.7")
def max_pool_vjp_by_loops(x, g):
    out = onp.zeros(x.shape)
    for m, i, j, c in onp.ndindex(g.shape):
        best = (2 * i, 2 * j)
        for place in [(2 * i, 2 * j + 1), (2 * i + 1, 2 * j), (2 * i + 1, 2 * j + 1)]:
            if x[(m, *place, c)] > x[(m, *best, c)]:
                best = place
        out[(m, *best, c)] += g[m, i, j, c]
    return out
