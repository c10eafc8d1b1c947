"""Publish a model folder on the Hugging Face Hub: an allow-list of files, searched for secrets, in one commit."""

import mmap
import re
import shlex
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, get_session, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import httpx, validate_repo_id

from studio.errors import RequestError, RunError

# What from_pretrained and a reader need. Pickles (training_args.bin, optimizer.pt) can hold tokens and run code.
ALLOWED = (
    "README.md",
    "config.json",
    "model.safetensors",
    "model-*-of-*.safetensors",
    "model.safetensors.index.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "*.model",  # sentencepiece vocabularies
)

HERE = "path/to/this/folder"  # how a card names its model until it has a name on the Hub

_TOKEN = rb"hf_[A-Za-z0-9]{30,}"
_ANSWER_TIMEOUT_S = 5  # of the question who we are: tells soon that the Hub is out of reach
_UPLOAD_TIMEOUT_S = 60  # between two signs of life
# What a Hub that is out of reach, overloaded or cut off raises; HfHubHTTPError and offline mode are OSErrors.
_TROUBLE = (httpx.HTTPError, OSError, RuntimeError)


def check(hub_model_id: str) -> None:
    """Makes sure, before hours of training, that its model can be published.

    Raises:
        RequestError: the name is none, nobody is logged in, the token cannot write, or the Hub is out of reach.
    """
    try:
        _sign_in(hub_model_id)
    except _TROUBLE as error:
        raise RequestError(
            f"--push_to_hub: the Hub is out of reach ({_reason(error)}). Train without it, and publish "
            "the finished model later by `python -m studio push`"
        ) from error


def push(folder: Path, hub_model_id: str, *, private: bool) -> str:
    """Uploads the model folder in one commit, into a repository that is made if need be; returns its address.

    Raises:
        RequestError: as in check; or the folder holds no model or a secret; or the repository is public
            although a private one was asked for.
        RunError: the Hub is out of reach or fails; a commit is whole or not there, and the folder is as it was.
    """
    files = _files(folder)
    try:
        token = _sign_in(hub_model_id)
        _refuse_secrets(files, token)
        get_session().timeout = _UPLOAD_TIMEOUT_S
        api = HfApi(token=token)
        repository = api.create_repo(hub_model_id, private=private, exist_ok=True)
        if private and not api.model_info(repository.repo_id).private:
            raise RequestError(
                f"--hub_model_id {hub_model_id} exists and is public: name another, or say --hub_private_repo false"
            )
        additions = [CommitOperationAdd(file.name, _published(file, repository.repo_id)) for file in files]
        api.create_commit(repository.repo_id, additions, commit_message="Upload model")
    except _TROUBLE as error:
        if isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403):
            raise RequestError(
                f"the Hub does not let this token publish {hub_model_id} ({_reason(error)}): check the name before "
                "the slash, and that the token may write (https://huggingface.co/settings/tokens)"
            ) from error
        run = folder.parent if (folder.parent / "run.json").exists() else folder
        again = ["python", "-m", "studio", "push", str(run), "--hub_model_id", hub_model_id]
        again += [] if private else ["--no_hub_private_repo"]
        raise RunError(
            f"{hub_model_id} was not published: the Hub is out of reach or failed ({_reason(error)}). The model in "
            f"{folder} is intact; try again by: {shlex.join(again)}"
        ) from error
    return str(repository)


def _sign_in(hub_model_id: str) -> str:
    """The token of whoever is logged in, once the Hub has said that it is good."""
    try:
        validate_repo_id(hub_model_id)
    except HFValidationError as error:
        raise RequestError(f"--hub_model_id {hub_model_id} is no name for a model: {_reason(error)}") from error
    token = get_token()
    if token is None:
        raise RequestError(
            "--push_to_hub needs a login: run `hf auth login`, or set HF_TOKEN to a token that may write "
            "(https://huggingface.co/settings/tokens)"
        )
    get_session().timeout = _ANSWER_TIMEOUT_S  # huggingface_hub itself waits forever
    try:
        person = HfApi(token=token).whoami()
    except HfHubHTTPError as error:
        if error.response.status_code != 401:
            raise
        raise RequestError(
            "the Hub does not know this token: log in again by `hf auth login`, or correct HF_TOKEN"
        ) from error
    if person.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise RequestError(
            "the token can only read from the Hub: make one that may write (https://huggingface.co/settings/tokens)"
        )
    return token


def _files(folder: Path) -> list[Path]:
    found = sorted({file for pattern in ALLOWED for file in folder.glob(pattern) if file.is_file()})
    names = {file.name for file in found}
    if "config.json" not in names or not any(name.endswith(".safetensors") for name in names):
        raise RequestError(f"{folder} is no model folder: config.json and model.safetensors are needed to publish it")
    return found


def _published(file: Path, name: str) -> Path | bytes:
    """What to upload: the file, and of the card a copy that shows how to use the model by its `name`."""
    if file.name != "README.md":
        return file
    return file.read_text(encoding="utf-8").replace(f'model="{HERE}"', f'model="{name}"').encode()


def _refuse_secrets(files: list[Path], token: str) -> None:
    secret = re.compile(_TOKEN + b"|" + re.escape(token.encode()))
    for file in files:
        if file.stat().st_size == 0:
            continue  # cannot be mapped
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if secret.search(content):
                raise RequestError(
                    f"{file} holds an access token: nothing was published. Remove it there, and revoke it at "
                    "https://huggingface.co/settings/tokens if others may have seen it"
                )


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
