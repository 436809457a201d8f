"""The OpenAPI 3.1 document of the API, kept beside its routes; a test holds the two together."""

from typing import Any

from incidents.model import Severity, State
from roster.model import Result, Role, RollCallState

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
MOMENT: Schema = {"type": "string", "format": "date-time"}
MAYBE_MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
COUNT: Schema = {"type": "integer", "minimum": 0}
YES: Schema = {"type": "boolean"}
FREE: Schema = {"type": "object", "additionalProperties": True}


def document(public_url: str) -> Schema:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Muster (点到) API",
            "version": "1",
            "description": "Read-only view of the duty desk. Moments are RFC 3339 in UTC; points are WGS-84.",
        },
        "servers": [{"url": (public_url.rstrip("/") or "") + "/api/v1"}],
        "security": [{"bearer": []}],
        "paths": {path: {"get": operation} for path, operation in _operations().items()},
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
            "responses": {
                "Fault": {
                    "description": "Why there is no answer",
                    "content": {"application/json": {"schema": _ref("Fault")}},
                }
            },
        },
    }


def _operations() -> dict[str, Schema]:
    incident_filters = [
        _query("state", "A state, or `open`", enum=["open", *(one.value for one in State)]),
        _query("severity", "A level", enum=[one.value for one in Severity]),
        _query("unit", "A unit's id"),
        _query("q", "Literal text in the title, or part of a number"),
    ]
    people_filters = [
        _query("unit", "A unit's id"),
        _query("role", "A role", enum=[one.value for one in Role]),
        _query("q", "Literal part of a name or phone"),
    ]
    number = {"name": "number", "in": "path", "required": True, "schema": TEXT}
    call_id = {"name": "id", "in": "path", "required": True, "schema": TEXT}
    return {
        "/incidents": _list("Incidents, newest first", "Incident", incident_filters),
        "/incidents.geojson": _operation(
            "Incidents as GeoJSON features",
            {"application/geo+json": {"schema": _ref("FeatureCollection")}},
            [*incident_filters, *_paging()],
        ),
        "/incidents/{number}": _one("One incident with reports and attachments", "IncidentInFull", [number]),
        "/roll-calls": _list("Roll calls, newest first", "RollCall", []),
        "/roll-calls/{id}": _one("One roll call with its ledger", "RollCallInFull", [call_id]),
        "/on-duty": _one("Who is on watch now and next", "OnDuty", []),
        "/officers": _list("Active officers", "Officer", people_filters),
        "/log": _list("The duty log, newest first", "LogLine", []),
        "/status": _one("The board in short", "Status", []),
    }


def _schemas() -> dict[str, Schema]:
    return {**_incident_schemas(), **_roster_schemas(), **_desk_schemas()}


def _incident_schemas() -> dict[str, Schema]:
    incident = _incident()
    return {
        "Place": _object(
            {
                "lat": {"type": ["number", "null"]},
                "lon": {"type": ["number", "null"]},
                "text": TEXT,
                "datum": TEXT,
            }
        ),
        "Clock": _object({"name": TEXT, "due_at": MOMENT, "done": YES, "overdue": YES}),
        "Incident": _object(incident),
        "IncidentInFull": _object(
            {**incident, "reports": _array(_ref("Report")), "attachments": _array(_ref("Attachment"))}
        ),
        "Report": _object(
            {
                "sequence": COUNT,
                "kind": TEXT,
                "reporter": TEXT,
                "received_at": MOMENT,
                "text": TEXT,
                "place": _maybe("Place"),
            }
        ),
        "Attachment": _object(
            {
                "kind": TEXT,
                "state": TEXT,
                "digest": MAYBE_TEXT,
                "file_name": TEXT,
                "bytes": {"type": ["integer", "null"]},
                "received_at": MOMENT,
            }
        ),
        "FeatureCollection": _object(
            {"type": {"const": "FeatureCollection"}, "features": _array(FREE), "next": MAYBE_TEXT}
        ),
    }


def _roster_schemas() -> dict[str, Schema]:
    call = _roll_call()
    return {
        "RollCall": _object(call),
        "RollCallInFull": _object({**call, "answers": _array(_ref("Answer"))}),
        "Answer": _object(
            {
                "officer_id": TEXT,
                "officer": TEXT,
                "unit": TEXT,
                "post": TEXT,
                "result": {"enum": [one.value for one in Result]},
                "answered_at": MAYBE_MOMENT,
            }
        ),
        "Watch": _object(
            {
                "unit_id": TEXT,
                "unit": TEXT,
                "post": TEXT,
                "post_name": TEXT,
                "officer_id": MAYBE_TEXT,
                "officer": MAYBE_TEXT,
                "presence": TEXT,
                "starts_at": MAYBE_MOMENT,
                "ends_at": MAYBE_MOMENT,
                "gap": YES,
            }
        ),
        "OnDuty": _object({"now": _array(_ref("Watch")), "next": _array(_ref("Watch"))}),
        "Officer": _officer(),
    }


def _desk_schemas() -> dict[str, Schema]:
    return {
        "Fault": _object({"error": _object({"code": TEXT, "message": TEXT, "id": TEXT})}),
        "LogLine": _object(
            {
                "sequence": COUNT,
                "at": MOMENT,
                "kind": TEXT,
                "subject": TEXT,
                "actor": TEXT,
                "facts": FREE,
                "previous": TEXT,
                "hash": TEXT,
            }
        ),
        "Status": _object(
            {
                "at": MOMENT,
                "office": TEXT,
                "open_incidents": {"type": "object", "additionalProperties": COUNT},
                "overdue": _array(TEXT),
                "roll_calls": _array(_ref("RollCall")),
                "on_watch": _array(_ref("Watch")),
                "troubles": COUNT,
                "attachments_waiting": COUNT,
            }
        ),
    }


def _incident() -> dict[str, Schema]:
    return {
        "number": TEXT,
        "state": {"enum": [one.value for one in State]},
        "severity": {"enum": [one.value for one in Severity]},
        "severity_is_suggested": YES,
        "potential_severity": MAYBE_TEXT,
        "category": TEXT,
        "kind": TEXT,
        "title": TEXT,
        "sensitive": YES,
        "drill": YES,
        "unit_id": TEXT,
        "unit": TEXT,
        "place": _maybe("Place"),
        "occurred_at": MAYBE_MOMENT,
        "received_at": MOMENT,
        "signed_at": MAYBE_MOMENT,
        "closed_at": MAYBE_MOMENT,
        "holder": MAYBE_TEXT,
        "is_overdue": YES,
        "clocks": _array(_ref("Clock")),
        "outcome": TEXT,
    }


def _roll_call() -> dict[str, Schema]:
    return {
        "id": TEXT,
        "plan": TEXT,
        "state": {"enum": [one.value for one in RollCallState]},
        "make_up": YES,
        "called_at": MOMENT,
        "closes_at": MOMENT,
        "due": COUNT,
        "answered": COUNT,
        "unanswered": COUNT,
        "counts": {"type": "object", "additionalProperties": COUNT},
    }


def _officer() -> Schema:
    channel = _object({"channel": TEXT, "reachable": YES})
    role = {"enum": [one.value for one in Role]}
    return _object(
        {
            "id": TEXT,
            "name": TEXT,
            "unit_id": TEXT,
            "unit": TEXT,
            "title": TEXT,
            "role": role,
            "phone": TEXT,
            "channels": _array(channel),
            "reachable": YES,
        }
    )


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _maybe(name: str) -> Schema:
    return {"anyOf": [_ref(name), {"type": "null"}]}


def _query(name: str, description: str, **schema: Any) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": {**TEXT, **schema}}


def _paging() -> list[Schema]:
    limit = {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}
    return [
        _query("cursor", "The `next` of the page before"),
        {"name": "limit", "in": "query", "description": "Items a page", "schema": limit},
    ]


def _operation(summary: str, content: Schema, parameters: list[Schema]) -> Schema:
    fault = {"$ref": "#/components/responses/Fault"}
    answers = {"200": {"description": "The answer", "content": content}}
    return {
        "summary": summary,
        "parameters": parameters,
        "responses": {**answers, "400": fault, "401": fault, "404": fault},
    }


def _one(summary: str, name: str, parameters: list[Schema]) -> Schema:
    return _operation(summary, {"application/json": {"schema": _ref(name)}}, parameters)


def _list(summary: str, name: str, parameters: list[Schema]) -> Schema:
    page = _object({"items": _array(_ref(name)), "next": MAYBE_TEXT})
    return _operation(summary, {"application/json": {"schema": page}}, [*parameters, *_paging()])
