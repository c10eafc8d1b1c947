"""The HTTP side of a served model: questions and answers in the format of Hugging Face's inference API.

POST /predict   {"inputs": "a text", "parameters": {"top_k": 3}}, or the bytes of a picture
POST /explain   {"inputs": "a text", "parameters": {"label": "good"}}, or the bytes of a picture: why it answers so
GET /health     the process lives
GET /ready      the model is loaded: its task, labels and threshold
"""

import base64
import binascii
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.exceptions import HTTPException as AnyHTTPException

from studio.errors import RequestError, RunError
from studio.serving.guard import Guard
from studio.serving.model import Model

MOST_BYTES = 64_000_000  # of a question: a photo of 50 million pixels, in base64
_MOST_ITEMS = 256
_MOST_CHARACTERS = 1_000_000  # of a text, as when it is read to train on

Text = Annotated[str, StringConstraints(max_length=_MOST_CHARACTERS)]
_INPUTS = (
    "inputs must be a text, a pair of texts {text, text_pair}, a picture in base64, or a list of up to "
    f"{_MOST_ITEMS} of these; a text has at most {_MOST_CHARACTERS:,} characters"
)
_ONE = "inputs must be one text, one pair of texts {text, text_pair}, or one picture in base64"
_TEXTS = 'this model takes texts: send JSON, {"inputs": "a text"}, as application/json'
_Kind = TypeVar("_Kind", bound=BaseModel)


class Pair(BaseModel):
    """Two texts that belong together."""

    text: Text
    text_pair: Text


class Parameters(BaseModel):
    """`top_k` keeps that many of the likeliest labels; all without it."""

    model_config = ConfigDict(extra="forbid")

    top_k: int | None = Field(None, ge=1)
    function_to_apply: None = None  # Hugging Face's clients send it empty


class Question(BaseModel):
    """A text or picture, or several."""

    inputs: str | Pair | Annotated[list[str | Pair | tuple[Text, Text]], Field(min_length=1, max_length=_MOST_ITEMS)]
    parameters: Parameters = Parameters()


class Why(BaseModel):
    """`label` is what is to be explained; the likeliest without it."""

    model_config = ConfigDict(extra="forbid")

    label: str | None = None


class WhyQuestion(BaseModel):
    """One text or picture."""

    inputs: str | Pair
    parameters: Why = Why()


_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_EXAMPLE = {"inputs": "What a wonderful morning", "parameters": {"top_k": 3}}
_WHY_EXAMPLE = {"inputs": "What a wonderful morning", "parameters": {"label": "positive"}}


def _documented(question: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """What a route reads, for /openapi.json."""
    told = {"application/json": {"schema": question.model_json_schema(), "example": example}, "image/*": _PICTURE}
    return {"requestBody": {"required": True, "content": told}}


def create_app(model: Model, token: str | None) -> FastAPI:
    """The routes over a model; with a token, only those who send it may ask."""
    # the pages with the documentation would fetch their scripts from outside
    app = FastAPI(title="A served classifier", docs_url=None, redoc_url=None)
    app.add_middleware(Guard, token=token)
    app.add_exception_handler(AnyHTTPException, _told)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/ready")
    async def ready() -> dict[str, Any]:
        _refuse_before_loaded(model)
        return model.about()

    @app.post("/predict", openapi_extra=_documented(Question, _EXAMPLE))
    async def predict(request: Request) -> list[Any]:
        _refuse_before_loaded(model)
        body = await _body(request)
        is_image = model.predictor.task == "image-classification"
        if _is_json(request):
            question = _question(body, Question, _INPUTS)
            several = isinstance(question.inputs, list)
            items = [_item(given, is_image) for given in (question.inputs if several else [question.inputs])]
            top_k = question.parameters.top_k
        elif is_image:
            items, several, top_k = [body], False, None
        else:
            raise HTTPException(415, _TEXTS)
        answers = [_answer(found, several) for found in await model.ask(items, top_k)]
        # of one text Hugging Face's API gives a list of lists all the same, of one picture a list
        return answers[0] if is_image and not several else answers

    @app.post("/explain", openapi_extra=_documented(WhyQuestion, _WHY_EXAMPLE))
    async def explain(request: Request) -> dict[str, Any]:
        _refuse_before_loaded(model)
        body = await _body(request)
        is_image = model.predictor.task == "image-classification"
        item, label = body, None
        if _is_json(request):
            question = _question(body, WhyQuestion, _ONE)
            item, label = _item(question.inputs, is_image), question.parameters.label
        elif not is_image:
            raise HTTPException(415, _TEXTS)
        try:
            return (await model.explain(item, label)).told()
        except (RequestError, RunError) as fault:
            raise _refusal(fault) from fault

    return app


def _refuse_before_loaded(model: Model) -> None:
    if model.predictor is None:
        raise HTTPException(503, "the model is being loaded: ask again", {"Retry-After": "1"})


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return True
    if kind in ("", "application/octet-stream") or kind.startswith("image/"):
        return False
    raise HTTPException(415, f"the content type {kind!r:.80} is not read here: send application/json, or image/png")


async def _body(request: Request) -> bytes:
    """The body, given up as soon as it is too large."""
    body = bytearray()
    stated = request.headers.get("content-length", "0")
    if not stated.isdigit() or int(stated) <= MOST_BYTES:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                break
        else:
            return bytes(body)
    raise HTTPException(413, f"a question of more than {MOST_BYTES // 1_000_000} MB: send fewer or smaller inputs")


def _question(body: bytes, kind: type[_Kind], expected: str) -> _Kind:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"][:1] == ("parameters",):
            raise HTTPException(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        told = f"this is no JSON: {first['msg']}" if first["type"] == "json_invalid" else expected
        raise HTTPException(422, told) from error


def _item(given: str | Pair | tuple[str, str], is_image: bool) -> str | tuple[str, str] | bytes:
    """What the predictor takes."""
    if not is_image:
        if isinstance(given, str) and len(given) > _MOST_CHARACTERS:
            raise HTTPException(422, _INPUTS)
        return (given.text, given.text_pair) if isinstance(given, Pair) else given
    if not isinstance(given, str):
        raise HTTPException(422, "this model takes pictures, and these are pairs of texts")
    try:
        return base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError) as error:
        raise HTTPException(
            422, "this model takes pictures: send the bytes of one as image/png, or inputs in base64"
        ) from error


def _answer(found: Any, several: bool) -> Any:
    """Labels with their scores, the best first; {"error"} in the place of one of several that has no answer."""
    if isinstance(found, RequestError | RunError):
        if not several:
            raise _refusal(found)
        return {"error": str(found)}
    return [{"label": label, "score": score} for label, score in found.scores.items()]


def _refusal(fault: RequestError | RunError) -> HTTPException:
    return HTTPException(422 if isinstance(fault, RequestError) else 500, str(fault))


async def _told(request: Request, refusal: AnyHTTPException) -> JSONResponse:
    return JSONResponse({"error": refusal.detail}, refusal.status_code, refusal.headers)
