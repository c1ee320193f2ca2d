"""Rewrites of a float network in the ways of many exporters. Each keeps the function of the network."""

from __future__ import annotations

import copy
from typing import Any, Callable, Dict, List

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Rewrite = Callable[[onnx.ModelProto], onnx.ModelProto]
REWRITES: Dict[str, Rewrite] = {}


def rewrite(function: Rewrite) -> Rewrite:
    """Adds a function to REWRITES, under its name."""
    REWRITES[function.__name__] = function
    return function


def value(model: onnx.ModelProto, name: str) -> np.ndarray:
    """The constant of that name."""
    return numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == name))


def put(model: onnx.ModelProto, name: str, array: Any) -> str:
    """Adds or replaces a constant."""
    take(model, name)
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
    return name


def take(model: onnx.ModelProto, name: str) -> None:
    """Removes a constant."""
    kept = [tensor for tensor in model.graph.initializer if tensor.name != name]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def nodes(model: onnx.ModelProto, made: List[onnx.NodeProto]) -> onnx.ModelProto:
    """Replaces the nodes."""
    made = [copy.deepcopy(node) for node in made]
    del model.graph.node[:]
    model.graph.node.extend(made)
    del model.graph.value_info[:]
    return model


def each_conv(model: onnx.ModelProto, change: Callable[[onnx.NodeProto], List[onnx.NodeProto]]) -> onnx.ModelProto:
    """Replaces each Conv by what `change` makes of it."""
    made: List[onnx.NodeProto] = []
    for node in list(model.graph.node):
        made += change(copy.deepcopy(node)) if node.op_type == "Conv" else [node]
    return nodes(model, made)


def first_conv(model: onnx.ModelProto, change: Callable[[onnx.NodeProto], List[onnx.NodeProto]]) -> onnx.ModelProto:
    """Replaces the second Conv, whose input is an activation."""
    second = [node.output[0] for node in model.graph.node if node.op_type == "Conv"][1]
    return each_conv(model, lambda node: change(node) if node.output[0] == second else [node])


def node(op: str, inputs: List[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], **attributes)


@rewrite
def as_it_is(model: onnx.ModelProto) -> onnx.ModelProto:
    return model


@rewrite
def constant_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    made = [node("Constant", [], tensor.name, value=tensor) for tensor in model.graph.initializer]
    del model.graph.initializer[:]
    return nodes(model, [*made, *model.graph.node])


@rewrite
def constants_of_other_forms(model: onnx.ModelProto) -> onnx.ModelProto:
    """A scale as value_float, a bias as value_floats, a shape as value_ints, an axis as value_int, a text."""

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        out, bias = conv.output[0], value(model, conv.input[2])
        conv.output[0], conv.input[2] = f"{out}_raw", f"{out}_bias"
        shape = [1, len(bias), -1, 1]
        return [
            node("Constant", [], f"{out}_bias", value_floats=[float(v) for v in bias]),
            conv,
            node("Constant", [], f"{out}_one", value_float=1.0),
            node("Constant", [], f"{out}_text", value_string="unread"),
            node("Mul", [f"{out}_raw", f"{out}_one"], f"{out}_scaled"),
            node("Shape", [f"{out}_raw"], f"{out}_shape"),
            node("Constant", [], f"{out}_flat", value_ints=shape),
            node("Reshape", [f"{out}_scaled", f"{out}_flat"], f"{out}_long"),
            node("Reshape", [f"{out}_long", f"{out}_shape"], out),
        ]

    return first_conv(model, change)


@rewrite
def weights_behind_identities(model: onnx.ModelProto) -> onnx.ModelProto:
    """Two Identities and two Transposes; the bias behind an Identity too."""

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        out, weight, bias = conv.output[0], conv.input[1], conv.input[2]
        conv.input[1], conv.input[2] = f"{out}_w", f"{out}_b"
        return [
            node("Identity", [weight], f"{out}_i"),
            node("Identity", [f"{out}_i"], f"{out}_j"),
            node("Transpose", [f"{out}_j"], f"{out}_t", perm=[2, 3, 0, 1]),
            node("Transpose", [f"{out}_t"], f"{out}_w", perm=[2, 3, 0, 1]),
            node("Identity", [bias], f"{out}_b"),
            conv,
        ]

    return each_conv(model, change)


@rewrite
def weights_from_arithmetic(model: onnx.ModelProto) -> onnx.ModelProto:
    """A standardised weight: (w - 1) / 2 from 2 w + 1."""
    put(model, "k1", np.array(1, np.float32))
    put(model, "k2", np.array(2, np.float32))

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        out, weight = conv.output[0], conv.input[1]
        put(model, weight, 2 * value(model, weight) + 1)
        conv.input[1] = f"{out}_w"
        return [node("Sub", [weight, "k1"], f"{out}_s"), node("Div", [f"{out}_s", "k2"], f"{out}_w"), conv]

    return each_conv(model, change)


def _behind_cast(model: onnx.ModelProto, store: Callable[[str, np.ndarray], None]) -> onnx.ModelProto:
    """Weights of another type, with a Cast to float32 behind each. `store` puts a weight back in its new type."""

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        out, weight = conv.output[0], conv.input[1]
        store(weight, value(model, weight))
        conv.input[1] = f"{out}_w"
        return [node("Cast", [weight], f"{out}_w", to=TensorProto.FLOAT), conv]

    return each_conv(model, change)


@rewrite
def weights_in_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    return _behind_cast(model, lambda name, array: put(model, name, array.astype(np.float16)))


@rewrite
def weights_in_bfloat16(model: onnx.ModelProto) -> onnx.ModelProto:
    def store(name: str, array: np.ndarray) -> None:
        take(model, name)
        bits = (array.astype(np.float32).view(np.uint32) + 0x8000) >> 16
        raw = bits.astype(np.uint16).tobytes()
        model.graph.initializer.append(helper.make_tensor(name, TensorProto.BFLOAT16, array.shape, raw, raw=True))

    return _behind_cast(model, store)


@rewrite
def weights_in_8_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    """Stored as int8 with scales per channel; the activations are float."""

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        out, weight = conv.output[0], conv.input[1]
        array = value(model, weight)
        scales = np.maximum(np.abs(array).max(axis=(1, 2, 3)) / 127, 1e-9).astype(np.float32)
        put(model, weight, np.round(array / scales[:, None, None, None]).astype(np.int8))
        put(model, f"{weight}_s", scales)
        conv.input[1] = f"{out}_w"
        return [node("DequantizeLinear", [weight, f"{weight}_s"], f"{out}_w", axis=0), conv]

    return each_conv(model, change)


@rewrite
def constants_of_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Zeros from ConstantOfShape and Expand are added to the bias; a large one, to the picture."""
    put(model, "one", np.array([1], np.int64))
    put(model, "large", np.array([1, 3, 1024, 1024], np.int64))
    starts, ends = put(model, "starts", np.array([0, 0], np.int64)), put(model, "ends", np.array([128, 128], np.int64))
    axes = put(model, "axes", np.array([2, 3], np.int64))
    image = model.graph.input[0].name

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        out, bias = conv.output[0], conv.input[2]
        put(model, f"{out}_n", np.array([len(value(model, bias))], np.int64))
        conv.input[2] = f"{out}_b"
        conv.input[0] = "seen" if conv.input[0] == image else conv.input[0]
        return [
            node("ConstantOfShape", ["one"], f"{out}_z"),
            node("Expand", [f"{out}_z", f"{out}_n"], f"{out}_e"),
            node("Add", [bias, f"{out}_e"], f"{out}_b"),
            conv,
        ]

    model = each_conv(model, change)
    zeros = [
        node("ConstantOfShape", ["large"], "zeros"),
        node("Slice", ["zeros", starts, ends, axes], "few"),
        node("Add", [image, "few"], "seen"),
    ]
    return nodes(model, [*zeros, *model.graph.node])


@rewrite
def a_branch(model: onnx.ModelProto) -> onnx.ModelProto:
    """An If that reads a constant and an activation of the outer network."""
    put(model, "flag", np.array(True))
    return first_conv(model, lambda conv: _branched(model, conv, []))


@rewrite
def a_branch_that_the_picture_chooses(model: onnx.ModelProto) -> onnx.ModelProto:
    """An If whose condition is computed from an activation; both branches give the same."""
    put(model, "never", np.array(-1e9, np.float32))

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        most = node("ReduceMax", [f"{conv.output[0]}_raw"], "most", keepdims=0)
        return _branched(model, conv, [most, node("Greater", ["most", "never"], "flag")])

    return first_conv(model, change)


def _branched(model: onnx.ModelProto, conv: onnx.NodeProto, chosen: List[onnx.NodeProto]) -> List[onnx.NodeProto]:
    """An If behind a convolution, whose branches give the same; `chosen` computes its condition `flag`."""
    out, channels = conv.output[0], len(value(model, conv.input[2]))
    put(model, "gamma", np.ones((1, channels, 1, 1), np.float32))
    conv.output[0] = f"{out}_raw"
    info = helper.make_tensor_value_info
    then = helper.make_graph([node("Mul", [f"{out}_raw", "gamma"], "t")], "then", [], [info("t", 1, None)])
    other = helper.make_graph([node("Identity", [f"{out}_raw"], "e")], "else", [], [info("e", 1, None)])
    return [conv, *chosen, node("If", ["flag"], out, then_branch=then, else_branch=other)]


@rewrite
def indices_that_are_read(model: onnx.ModelProto) -> onnx.ModelProto:
    """A MaxPool whose indices, times zero, are added to its values."""
    put(model, "nothing", np.array(0, np.float32))

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        out = conv.output[0]
        conv.output[0] = f"{out}_raw"
        return [
            conv,
            helper.make_node("MaxPool", [f"{out}_raw"], [f"{out}_p", f"{out}_i"], kernel_shape=[1, 1]),
            node("Cast", [f"{out}_i"], f"{out}_f", to=TensorProto.FLOAT),
            node("Mul", [f"{out}_f", "nothing"], f"{out}_z"),
            node("Add", [f"{out}_p", f"{out}_z"], out),
        ]

    return first_conv(model, change)


@rewrite
def a_loop(model: onnx.ModelProto) -> onnx.ModelProto:
    """A Loop of one round that reads an activation and a constant of the outer network."""
    put(model, "rounds", np.array(1, np.int64))
    put(model, "go", np.array(True))

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        out, channels = conv.output[0], len(value(model, conv.input[2]))
        put(model, "gamma", np.ones((1, channels, 1, 1), np.float32))
        conv.output[0] = f"{out}_raw"
        info = helper.make_tensor_value_info
        body = helper.make_graph(
            [node("Identity", ["c"], "c2"), node("Mul", [f"{out}_raw", "gamma"], "v2")],
            "body",
            [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("v", 1, None)],
            [info("c2", TensorProto.BOOL, []), info("v2", 1, None)],
        )
        return [conv, helper.make_node("Loop", ["rounds", "go", f"{out}_raw"], [out], body=body)]

    return first_conv(model, change)


@rewrite
def shape_arithmetic(model: onnx.ModelProto) -> onnx.ModelProto:
    """A channel shuffle there and back, with sizes from Shape, in integers and in floats."""
    put(model, "i0", np.array([0], np.int64))
    put(model, "two", np.array([2.0], np.float32))

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        out, channels = conv.output[0], len(value(model, conv.input[2]))
        put(model, "half", np.array([channels // 2], np.int64))
        put(model, "all", np.array([channels], np.int64))
        put(model, "i2", np.array([2, 3], np.int64))
        put(model, "rest", np.array([-1], np.int64))
        conv.output[0] = f"{out}_raw"
        return [
            conv,
            node("Shape", [f"{out}_raw"], "s"),
            node("Gather", ["s", "i0"], "batch", axis=0),
            node("Cast", ["batch"], "batch_f", to=TensorProto.FLOAT),
            node("Mul", ["batch_f", "two"], "batch_2"),
            node("Add", ["batch_2", "batch_2"], "batch_4"),
            node("Sub", ["batch_4", "batch_2"], "batch_3"),
            node("Cast", ["batch_3"], "two_batches", to=TensorProto.INT64),
            node("Gather", ["s", "i2"], "hw", axis=0),
            node("Concat", ["two_batches", "half", "rest"], "t1", axis=0),
            node("Concat", ["batch", "all", "hw"], "t2", axis=0),
            node("Reshape", [f"{out}_raw", "t1"], "r1"),
            node("Reshape", ["r1", "t2"], out),
        ]

    return first_conv(model, change)


def _transposed_convolution(group: int) -> Rewrite:
    def made(model: onnx.ModelProto) -> onnx.ModelProto:
        def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
            out, channels = conv.output[0], len(value(model, conv.input[2]))
            weight = np.zeros((channels, channels // group, 1, 1), np.float32)
            weight[np.arange(channels), np.arange(channels) % (channels // group)] = 1
            put(model, "up_w", weight)
            put(model, "up_b", np.zeros(channels, np.float32))
            conv.output[0] = f"{out}_raw"
            return [conv, node("ConvTranspose", [f"{out}_raw", "up_w", "up_b"], out, group=group)]

        return first_conv(model, change)

    return made


REWRITES.update({f"transposed_convolution_of_{group}_groups": _transposed_convolution(group) for group in (1, 2, 4)})


def _product(kind: str) -> Rewrite:
    """The 1 x 1 convolution that is put behind the second one, as a product: it multiplies by the unit matrix."""

    def made(model: onnx.ModelProto) -> onnx.ModelProto:
        def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
            out, n = conv.output[0], len(value(model, conv.input[2]))
            unit = np.eye(n, dtype=np.float32)
            put(model, "unit", unit * (2 if kind == "gemm_scaled" else 1))
            put(model, "sums", np.zeros((1, n) if "row" in kind or "scaled" in kind else n, np.float32))
            put(model, "rows", np.array([-1, n], np.int64))
            conv.output[0] = f"{out}_raw"
            last = node("Transpose", [f"{out}_raw"], "t", perm=[0, 2, 3, 1])
            there = [conv, last, node("Shape", ["t"], "ts"), node("Reshape", ["t", "rows"], "f")]
            back = [node("Reshape", ["g", "ts"], "gt"), node("Transpose", ["gt"], out, perm=[0, 3, 1, 2])]
            if kind == "matmul":
                return [*there, node("MatMul", ["f", "unit"], "g"), *back]
            if kind == "matmul_left":
                put(model, "columns", np.array([1, n, -1], np.int64))
                flat = node("Reshape", [f"{out}_raw", "columns"], "f")
                return [conv, node("Shape", [f"{out}_raw"], "s"), flat, node("MatMul", ["unit", "f"], "g"),
                        node("Reshape", ["g", "s"], out)]  # fmt: skip
            if kind == "gemm_turned":
                turned = node("Transpose", ["f"], "ft", perm=[1, 0])
                return [*there, turned, node("Gemm", ["ft", "unit", "sums"], "g", transA=1, transB=1), *back]
            scaled = {"alpha": 0.5, "beta": 3.0} if kind == "gemm_scaled" else {}
            names = ["f", "unit"] if kind == "gemm_plain" else ["f", "unit", "sums"]
            return [*there, node("Gemm", names, "g", **scaled), *back]

        return first_conv(model, change)

    return made


PRODUCTS = ("matmul", "matmul_left", "gemm", "gemm_plain", "gemm_row", "gemm_scaled", "gemm_turned")
REWRITES.update({kind: _product(kind) for kind in PRODUCTS})


@rewrite
def inputs_for_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Format 3 lists each constant among the inputs."""
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return model


@rewrite
def no_names(model: onnx.ModelProto) -> onnx.ModelProto:
    for each in model.graph.node:
        each.name = ""
    return model


@rewrite
def a_dead_branch(model: onnx.ModelProto) -> onnx.ModelProto:
    """A branch whose convolution was pruned to zero is added."""

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        out, weight = conv.output[0], value(model, conv.input[1])
        put(model, "dead_w", np.zeros_like(weight))
        conv.output[0] = f"{out}_raw"
        dead = copy.deepcopy(conv)
        dead.name, dead.output[0] = "dead", "dead"
        dead.input[1] = "dead_w"
        del dead.input[2:]
        return [conv, dead, node("Relu", ["dead"], "off"), node("Add", [f"{out}_raw", "off"], out)]

    return first_conv(model, change)


@rewrite
def shared_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """One weight for two convolutions, whose inputs differ 99-fold."""
    put(model, "k01", np.array(0.01, np.float32))
    put(model, "k99", np.array(0.99, np.float32))

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        out, made = conv.output[0], []
        put(model, f"{out}_half", value(model, conv.input[2]) / 2)
        for number in ("01", "99"):
            each = copy.deepcopy(conv)
            each.name = f"{conv.name}{number}"
            each.input[0], each.input[2], each.output[0] = f"{out}_x{number}", f"{out}_half", f"{out}_y{number}"
            made += [node("Mul", [conv.input[0], f"k{number}"], f"{out}_x{number}"), each]
        return [*made, node("Add", [f"{out}_y01", f"{out}_y99"], out)]

    return first_conv(model, change)


@rewrite
def batch_normalisation(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without an epsilon, on weights behind an Identity and parameters behind a Cast."""

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        out, bias = conv.output[0], value(model, conv.input[2])
        n = len(bias)
        for name, array in (("g", np.ones(n)), ("b", bias), ("m", np.zeros(n)), ("v", np.full(n, 1 - 1e-5))):
            put(model, f"{out}_{name}", array.astype(np.float64))
        conv.output[0], weight = f"{out}_raw", conv.input[1]
        del conv.input[1:]
        conv.input.append(f"{out}_w")
        casts = [node("Cast", [f"{out}_{k}"], f"{out}_{k}32", to=TensorProto.FLOAT) for k in "gbmv"]
        names = [f"{out}_raw", *(f"{out}_{k}32" for k in "gbmv")]
        return [node("Identity", [weight], f"{out}_w"), *casts, conv, node("BatchNormalization", names, out)]

    return each_conv(model, change)


@rewrite
def dropout_and_clips(model: onnx.ModelProto) -> onnx.ModelProto:
    """Dropout outside training, Identity and a Cast that changes nothing; Clip without a lower or an upper end."""
    put(model, "most", np.array(1e6, np.float32))
    put(model, "least", np.array(-1e6, np.float32))

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        out = conv.output[0]
        conv.output[0] = f"{out}_0"
        return [
            conv,
            helper.make_node("Dropout", [f"{out}_0"], [f"{out}_1"]),
            node("Identity", [f"{out}_1"], f"{out}_2"),
            node("Cast", [f"{out}_2"], f"{out}_3", to=TensorProto.FLOAT),
            node("Clip", [f"{out}_3", "", "most"], f"{out}_4"),
            node("Clip", [f"{out}_4", "least"], f"{out}_5"),
            node("Clip", [f"{out}_5"], out),
        ]

    return first_conv(model, change)


@rewrite
def pools_and_splits(model: onnx.ModelProto) -> onnx.ModelProto:
    """A MaxPool that also gives indices, a Split into parts, and their Concat."""

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        out, n = conv.output[0], len(value(model, conv.input[2]))
        put(model, "parts", np.array([n // 2, n - n // 2], np.int64))
        conv.output[0] = f"{out}_raw"
        return [
            conv,
            helper.make_node("MaxPool", [f"{out}_raw"], [f"{out}_p", f"{out}_i"], kernel_shape=[1, 1]),
            helper.make_node("Split", [f"{out}_p", "parts"], [f"{out}_a", f"{out}_b"], axis=1),
            node("Concat", [f"{out}_a", f"{out}_b"], out, axis=1),
        ]

    return first_conv(model, change)


@rewrite
def unsorted(model: onnx.ModelProto) -> onnx.ModelProto:
    return nodes(model, list(model.graph.node)[::-1])


@rewrite
def a_sparse_constant(model: onnx.ModelProto) -> onnx.ModelProto:
    """Zeros that are added to an activation."""

    def change(conv: onnx.NodeProto) -> List[onnx.NodeProto]:
        out, n = conv.output[0], len(value(model, conv.input[2]))
        values = helper.make_tensor("", TensorProto.FLOAT, [1], [0.0])
        indices = helper.make_tensor("", TensorProto.INT64, [1], [0])
        sparse = helper.make_sparse_tensor(values, indices, [n])
        conv.output[0] = f"{out}_raw"
        put(model, "column", np.array([1, n, 1, 1], np.int64))
        return [conv, node("Constant", [], "thin", sparse_value=sparse), node("Reshape", ["thin", "column"], "wide"),
                node("Add", [f"{out}_raw", "wide"], out)]  # fmt: skip

    return first_conv(model, change)


@rewrite
def functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """The activation as a function of the file's own."""
    body = [helper.make_node("Max", ["a", "a"], ["b"]), helper.make_node("Relu", ["b"], ["c"])]
    opset = model.opset_import[0].version
    model.functions.append(
        helper.make_function("own", "Activation", ["a"], ["c"], body, [helper.make_opsetid("", opset)])
    )
    model.opset_import.append(helper.make_opsetid("own", 1))
    for each in model.graph.node:
        if each.op_type == "Relu":
            each.op_type, each.domain = "Activation", "own"
    return model


def _whole_float16(io: bool) -> Rewrite:
    def made(model: onnx.ModelProto) -> onnx.ModelProto:
        for tensor in list(model.graph.initializer):
            if tensor.data_type == TensorProto.FLOAT:
                put(model, tensor.name, numpy_helper.to_array(tensor).astype(np.float16))
        given, outputs = model.graph.input[0], list(model.graph.output)
        del model.graph.value_info[:]
        if io:
            for info in (given, *outputs):
                info.type.tensor_type.elem_type = TensorProto.FLOAT16
            return model
        names = {given.name: "in16", **{info.name: f"{info.name}16" for info in outputs}}
        inside = [copy.deepcopy(each) for each in model.graph.node]
        for each in inside:
            for side in (each.input, each.output):
                for place, name in enumerate(side):
                    side[place] = names.get(name, name)
        first = node("Cast", [given.name], "in16", to=TensorProto.FLOAT16)
        last = [node("Cast", [names[info.name]], info.name, to=TensorProto.FLOAT) for info in outputs]
        return nodes(model, [first, *inside, *last])

    return made


REWRITES["float16_inside"], REWRITES["float16_everywhere"] = _whole_float16(False), _whole_float16(True)
