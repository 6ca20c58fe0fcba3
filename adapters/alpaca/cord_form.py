"""The broker's stopping requests as data, for a hand that has nothing but the standard library."""

_ORDERS = "/v2/orders?status={status}&limit={limit}&direction=desc&nested=false"
_SETTINGS = "/v2/account/configurations"


def cord_form() -> dict[str, object]:
    """`{key_id}`, `{secret}`, `{id}`, `{symbol}` and `{last}` (the last item's id, to page on) are filled in by the
    hand; a page with fewer than `full` items is the last one."""

    def orders(status: str, limit: int) -> dict[str, object]:
        path = _ORDERS.format(status=status, limit=limit)
        return {"method": "GET", "path": path, "page": "&before_order_id={last}", "full": limit}

    return {
        "kind": "rest-json",
        "headers": {"APCA-API-KEY-ID": "{key_id}", "APCA-API-SECRET-KEY": "{secret}"},
        "cancel_all": {"method": "DELETE", "path": "/v2/orders"},
        "cancel": {"method": "DELETE", "path": "/v2/orders/{id}"},
        "open_orders": orders("open", 500),
        "orders": orders("all", 100),  # read again and again for what is new: mostly nothing
        "fills": {
            "method": "GET",
            "path": "/v2/account/activities/FILL?direction=desc&page_size=100",
            "page": "&page_token={last}",
            "full": 100,
        },
        "positions": {"method": "GET", "path": "/v2/positions"},
        "close": {"method": "DELETE", "path": "/v2/positions/{symbol}"},
        "suspend": {"method": "PATCH", "path": _SETTINGS, "body": {"suspend_trade": True}},
        "unsuspend": {"method": "PATCH", "path": _SETTINGS, "body": {"suspend_trade": False}},
        "settings": {"method": "GET", "path": _SETTINGS},
        "clock": {"method": "GET", "path": "/v2/clock"},
        "fields": {
            "order": {
                "id": "id",
                "client": "client_order_id",
                "symbol": "symbol",
                "status": "status",
                "side": "side",
                "qty": "qty",
                "filled": "filled_qty",
                "type": "type",
                "order_class": "order_class",
                "created": "created_at",
            },
            "position": {"symbol": "symbol", "qty": "qty"},
            "fill": {"id": "id", "order": "order_id", "symbol": "symbol"},
            "settings": {"suspended": "suspend_trade"},
            "item": {"id": "id", "status": "status"},
            "clock": {"open": "is_open", "next_open": "next_open"},
        },
    }
