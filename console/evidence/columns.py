"""The columns that evidence is kept in, named without PyArrow, so that whoever gathers rows needs not load it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa

Type: TypeAlias = Literal["text", "whole", "number", "value", "real", "time", "truth"]
Columns: TypeAlias = Mapping[str, Type]

NUMBER = (38, 18)
"""Precision and scale of quantities, prices and money."""
VALUE = (38, 12)
"""Precision and scale of what strategies tell of themselves: predictions, say."""


def schema(columns: Columns) -> "pa.Schema":
    """`text` string, `whole` int64, `number` decimal128(38,18), `value` decimal128(38,12), `real` float64, `time`
    timestamp[ns, UTC], `truth` bool."""
    import pyarrow as pa

    types: dict[Type, Any] = {
        "text": pa.string(),
        "whole": pa.int64(),
        "number": pa.decimal128(*NUMBER),
        "value": pa.decimal128(*VALUE),
        "real": pa.float64(),
        "time": pa.timestamp("ns", tz="UTC"),
        "truth": pa.bool_(),
    }
    return pa.schema([(name, types[kind]) for name, kind in columns.items()])
