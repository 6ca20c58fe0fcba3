"""Cells of a table as a person reads them, whole columns at once. Imports PyArrow."""

import json

import pyarrow as pa
import pyarrow.compute as pc

from console.desk.words import NONE

TIME, NUMBER, TEXT = "time", "number", "text"


def kind_of(kind: pa.DataType) -> str:
    """What a column of that type is to a reader: time, number or text."""
    if pa.types.is_timestamp(kind):
        return TIME
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return NUMBER
    return TEXT


def texts(values: pa.Array) -> pa.Array:
    """Each value as text: times in UTC to the microsecond, decimals without padding zeros, `–` where there is none."""
    return pc.fill_null(_texts(values), NONE)


def plain(values: pa.Array) -> list[object]:
    """Each value for a machine: numbers and truths as they are, decimals as exact text, times in UTC to the nanosecond,
    None where there is none."""
    kind = values.type
    if pa.types.is_timestamp(kind):
        told = values.cast(pa.timestamp("ns", kind.tz)).cast(pa.timestamp("ns")).cast(pa.string())
        return list(pc.binary_join_element_wise(pc.replace_substring(told, " ", "T"), "Z", "").to_pylist())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return list(values.to_pylist())
    return list(_texts(values).to_pylist())


def _texts(values: pa.Array) -> pa.Array:
    kind = values.type
    if isinstance(values, pa.ExtensionArray):  # DuckDB's own types
        return _texts(values.storage)
    if pa.types.is_string(kind):
        return values
    if pa.types.is_timestamp(kind):
        told = values.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.timestamp("us")).cast(pa.string())
        return pc.binary_join_element_wise(told, "Z", "")
    if pa.types.is_decimal(kind):
        return _decimals(values)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_interval(kind):
        return pa.array([_told(value) for value in values.to_pylist()], pa.string())
    return values.cast(pa.string())


def _decimals(values: pa.Array) -> pa.Array:
    told = values.cast(pa.string())
    small = pc.fill_null(pc.match_substring(told, "E"), False)  # Arrow writes what is near zero with an exponent
    if small.true_count:
        plain = [f"{value:f}" for value in values.filter(small).to_pylist()]
        told = pc.replace_with_mask(told, small, pa.array(plain, pa.string()))
    if values.type.scale > 0:
        told = pc.utf8_rtrim(pc.utf8_rtrim(told, "0"), ".")
    return told


def _told(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)
