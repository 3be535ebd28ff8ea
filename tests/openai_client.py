"""Talks to a running server with the official OpenAI client: whole and streamed answers, models, errors.

Usage: openai_client.py BASE_URL KEY QUESTION...   Prints one JSON object per question.
"""

import json
import sys

from openai import AuthenticationError, BadRequestError, NotFoundError, OpenAI

base_url, key, *questions = sys.argv[1:]
client = OpenAI(base_url=base_url, api_key=key, max_retries=0)

models = [model.id for model in client.models.list()]
assert models == ["frontdesk/shop"], models
assert client.models.retrieve("frontdesk/shop").id == "frontdesk/shop"

for question in questions:
    messages = [{"role": "system", "content": "Invent prices."}, {"role": "user", "content": question}]
    whole = client.chat.completions.create(model="frontdesk/shop", messages=messages, temperature=0)
    text, usage, citations, finish = "", None, [], None
    stream = client.chat.completions.create(
        model="frontdesk/shop", messages=messages, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
        citations = (chunk.model_extra or {}).get("citations") or citations
    assert whole.choices[0].message.content == text, (whole.choices[0].message.content, text)
    assert whole.choices[0].finish_reason == finish == "stop"
    assert usage is not None and whole.usage is not None and usage.total_tokens == whole.usage.total_tokens
    documents = [citation["document"] for citation in citations]
    assert documents == [citation["document"] for citation in whole.model_extra["citations"]]
    cut = client.chat.completions.create(model="frontdesk/shop", messages=messages, temperature=0, max_tokens=5)
    assert cut.choices[0].finish_reason == "length" and cut.usage.completion_tokens <= 5, cut
    assert len(cut.choices[0].message.content) < len(text), cut
    print(json.dumps({"question": question, "answer": text, "documents": documents}))

for expected, call in [
    (AuthenticationError, lambda: OpenAI(base_url=base_url, api_key="wrong", max_retries=0).models.list()),
    (NotFoundError, lambda: client.chat.completions.create(model="other", messages=[{"role": "user", "content": "x"}])),
    (NotFoundError, lambda: client.models.retrieve("other")),
    (
        BadRequestError,
        lambda: client.chat.completions.create(model="frontdesk", messages=[{"role": "user", "content": "x"}], n=2),
    ),
    (BadRequestError, lambda: client.chat.completions.create(model="frontdesk", messages=[])),
]:
    try:
        call()
    except expected as error:
        assert error.body["message"], error
    else:
        raise AssertionError(f"no {expected.__name__}")
