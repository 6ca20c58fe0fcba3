"""The broker's stopping requests as data, for a hand that has nothing but the standard library."""

_ORDERS = "/v2/orders?status={status}&limit=500&direction=desc&nested=false"


def cord_form() -> dict[str, object]:
    """`{key_id}`, `{secret}`, `{id}`, `{symbol}` and `{last}` (the last item's id, to page on) are filled in by the
    hand; a page with fewer than `full` items is the last one."""
    page = {"page": "&before_order_id={last}", "full": 500}
    return {
        "kind": "rest-json",
        "headers": {"APCA-API-KEY-ID": "{key_id}", "APCA-API-SECRET-KEY": "{secret}"},
        "cancel_all": {"method": "DELETE", "path": "/v2/orders"},
        "cancel": {"method": "DELETE", "path": "/v2/orders/{id}"},
        "open_orders": {"method": "GET", "path": _ORDERS.format(status="open"), **page},
        "orders": {"method": "GET", "path": _ORDERS.format(status="all"), **page},
        "fills": {
            "method": "GET",
            "path": "/v2/account/activities/FILL?direction=desc&page_size=100",
            "page": "&page_token={last}",
            "full": 100,
        },
        "positions": {"method": "GET", "path": "/v2/positions"},
        "close": {"method": "DELETE", "path": "/v2/positions/{symbol}"},
        "suspend": {"method": "PATCH", "path": "/v2/account/configurations", "body": {"suspend_trade": True}},
        "clock": {"method": "GET", "path": "/v2/clock"},
        "fields": {
            "order": {
                "id": "id",
                "client": "client_order_id",
                "symbol": "symbol",
                "status": "status",
                "side": "side",
                "qty": "qty",
            },
            "position": {"symbol": "symbol", "qty": "qty"},
            "fill": {"id": "id", "order": "order_id", "symbol": "symbol"},
            "item": {"id": "id", "status": "status"},
            "clock": {"open": "is_open", "next_open": "next_open"},
        },
    }
