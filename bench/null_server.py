"""The ceiling for the intake: the same server and framework, an endpoint that reads the body and stores nothing."""

# python -m bench.null_server PORT

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def answer(request: Request) -> Response:
    """200 once the body is here."""
    await request.body()
    return Response()


if __name__ == "__main__":
    app = Starlette(routes=[Route("/null", answer, methods=["POST"])])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
