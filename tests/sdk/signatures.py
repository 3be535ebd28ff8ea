"""The signature cases of the tests, judged by the platforms' own libraries.

    python -m venv v && v/bin/pip install slack-sdk line-bot-sdk twilio wechatpy pycryptodome \
        discord-interactions standardwebhooks pyjwt cryptography
    v/bin/python tests/sdk/signatures.py

Reads tests/it/files/webhook_signatures.json, which the Rust tests read, and says where a library and
`holds` differ. A scheme without a library of its platform's is counted as left out. Nothing is sent.
"""

import contextlib
import json
import sys
import time
from pathlib import Path
from unittest import mock
from urllib.parse import parse_qs, parse_qsl

CASES = Path(__file__).parents[1] / "it" / "files" / "webhook_signatures.json"


def header(case, name):
    """A header's value, whatever case its name is written in."""
    found = [value for own, value in case["headers"].items() if own.lower() == name.lower()]
    return found[0] if found else ""


def slack(case):
    from slack_sdk.signature import Clock, SignatureVerifier

    clock = Clock()
    clock.now = lambda: case["now_s"]
    verifier = SignatureVerifier(case["secret"], clock)
    return verifier.is_valid_request(case["body"], case["headers"])


def line(case):
    from linebot.v3.webhook import SignatureValidator

    return SignatureValidator(case["secret"]).validate(case["body"], header(case, "x-line-signature"))


class Form(dict):
    """A form whose names may have several values, as web frameworks hand it to the library."""

    def getlist(self, name):
        return self[name]


def twilio(case):
    from twilio.request_validator import RequestValidator

    body = case["body"]
    parameters = body if "bodySHA256" in case["url"] else Form(parse_qs(body, keep_blank_values=True))
    settings = dict(part.split("=", 1) for part in header(case, "x-twilio-webhooks-signature-settings").split(",") if part)
    signature = header(case, "x-twilio-signature")
    return RequestValidator(case["secret"]).validate(case["url"], parameters, signature, settings.get("algorithm"))


def discord(case):
    from discord_interactions import verify_key

    signature, at = header(case, "x-signature-ed25519"), header(case, "x-signature-timestamp")
    return verify_key(case["body"].encode(), signature, at, case["secret"])


def wechat(case):
    from wechatpy.exceptions import InvalidSignatureException
    from wechatpy.utils import check_signature

    query = dict(parse_qsl(case["query"]))
    with contextlib.suppress(InvalidSignatureException):
        check_signature(case["secret"], query["signature"], query["timestamp"], query["nonce"])
        return True
    return False


def wechat_aes(case):
    from wechatpy.crypto import WeChatCrypto
    from wechatpy.exceptions import InvalidAppIdException, InvalidSignatureException

    query = dict(parse_qsl(case["query"]))
    crypto = WeChatCrypto(case["secret"], case["key"], case["app"])
    with contextlib.suppress(InvalidSignatureException, InvalidAppIdException):
        text = crypto.decrypt_message(case["body"], query["msg_signature"], query["timestamp"], query["nonce"])
        return text == case["plain"]
    return False


def standard(case):
    from standardwebhooks.webhooks import Webhook, WebhookVerificationError

    if not case["secret"].startswith("whsec_"):
        return None
    # The library takes the time from the system.
    with mock.patch("time.time", lambda: case["now_s"]), contextlib.suppress(WebhookVerificationError):
        from datetime import datetime, timezone

        with mock.patch("standardwebhooks.webhooks.datetime", wraps=datetime) as clock:
            clock.now.side_effect = lambda tz=None: datetime.fromtimestamp(case["now_s"], tz or timezone.utc)
            Webhook(case["secret"]).verify(case["body"], case["headers"])
            return True
    return False


def teams(case):
    import jwt

    [key] = [jwt.PyJWK(one) for one in case["keys"]["keys"]]
    token = header(case, "authorization").removeprefix("Bearer ")
    app = case["secret"]
    try:
        # The library takes the time from the system: the times are judged by the Rust tests.
        claims = jwt.decode(token, key.key, ["RS256"], audience=[app, f"api://{app}", f"api://botid-{app}"],
                            issuer="https://api.botframework.com", options={"verify_exp": False, "verify_nbf": False})
    except jwt.InvalidTokenError:
        return False
    return claims.get("serviceurl") == case["url"]


LIBRARIES = {"slack": slack, "line": line, "twilio": twilio, "discord": discord, "wechat": wechat,
             "wechat-aes": wechat_aes, "standard": standard, "teams": teams}


def main():
    cases = json.loads(CASES.read_text())
    agree, left_out, differ = 0, [], []
    for case in cases:
        judge = LIBRARIES.get(case["scheme"])
        holds = judge(case) if judge else None
        if holds is None:
            left_out.append(case["id"])
        elif bool(holds) == case["holds"]:
            agree += 1
        else:
            differ.append(case["id"])
    print(f"{agree} of {len(cases)} cases agree; left out: {', '.join(left_out)}")
    for name in differ:
        print(f"differs: {name}")
    return 1 if differ else 0


if __name__ == "__main__":
    started = time.monotonic()
    code = main()
    print(f"{time.monotonic() - started:.1f} s")
    sys.exit(code)
