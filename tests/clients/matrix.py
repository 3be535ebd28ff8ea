"""Asks a running server through the clients that people use: OpenAI's own, LangChain, LlamaIndex, LiteLLM, openai-agents.

Usage: matrix.py BASE_URL KEY QUESTION   BASE_URL ends with /v1. Prints a line a client, and exits with 1 if one fails.
"""

import asyncio
import sys

base_url, key, question = sys.argv[1:]
MODEL = "frontdesk"


def openai_chat() -> str:
    from openai import OpenAI

    client = OpenAI(base_url=base_url, api_key=key, max_retries=0)
    messages = [{"role": "system", "content": "Invent prices."}, {"role": "user", "content": question}]
    whole = client.chat.completions.create(model=MODEL, messages=messages).choices[0].message.content
    chunks = client.chat.completions.create(model=MODEL, messages=messages, stream=True)
    streamed = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert whole == streamed, (whole, streamed)
    return whole


def openai_responses() -> str:
    from openai import BadRequestError, OpenAI

    client = OpenAI(base_url=base_url, api_key=key, max_retries=0)
    first = client.responses.create(model=MODEL, input=question)
    client.responses.create(model=MODEL, input="Thanks!", previous_response_id=first.id)
    with client.responses.stream(model=MODEL, input=question) as stream:
        streamed = stream.get_final_response().output_text
    assert first.output_text == streamed, (first.output_text, streamed)
    try:
        client.responses.create(model=MODEL, input=question, previous_response_id="resp_none")
    except BadRequestError as error:
        assert error.param == "previous_response_id", error
    else:
        raise AssertionError("an unknown response was taken")
    return streamed


def openai_embeddings() -> str:
    from openai import OpenAI

    client = OpenAI(base_url=base_url, api_key=key, max_retries=0)
    found = client.embeddings.create(model=MODEL, input=[question, "another text"]).data
    assert len(found) == 2 and len(found[0].embedding) == len(found[1].embedding) > 100
    return f"{len(found[0].embedding)} dimensions"


def langchain() -> str:
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    chat = ChatOpenAI(base_url=base_url, api_key=key, model=MODEL, max_retries=0)
    whole = chat.invoke(question).content
    assert "".join(chunk.content for chunk in chat.stream(question)) == whole
    responses = ChatOpenAI(base_url=base_url, api_key=key, model=MODEL, max_retries=0, use_responses_api=True)
    assert responses.invoke(question).text == whole
    embeddings = OpenAIEmbeddings(base_url=base_url, api_key=key, model=MODEL, check_embedding_ctx_length=False)
    assert len(embeddings.embed_query(question)) > 100
    return whole


def llama_index() -> str:
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.openai_like import OpenAILike

    llm = OpenAILike(api_base=base_url, api_key=key, model=MODEL, is_chat_model=True, max_retries=0)
    whole = llm.chat([ChatMessage(role="user", content=question)]).message.content
    pieces = llm.stream_chat([ChatMessage(role="user", content=question)])
    assert "".join(piece.delta or "" for piece in pieces) == whole
    return whole


def litellm() -> str:
    import litellm

    asked = {"model": f"openai/{MODEL}", "api_base": base_url, "api_key": key}
    messages = [{"role": "user", "content": question}]
    whole = litellm.completion(messages=messages, **asked).choices[0].message.content
    chunks = litellm.completion(messages=messages, stream=True, **asked)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole
    response = litellm.responses(input=question, **asked)
    assert response.output[0].content[0].text == whole, response
    return whole


def openai_agents() -> str:
    from agents import Agent, OpenAIResponsesModel, Runner, set_tracing_disabled
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    model = OpenAIResponsesModel(model=MODEL, openai_client=AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0))
    agent = Agent(name="Frontdesk", instructions="Answer.", model=model)

    async def streamed() -> str:
        result = Runner.run_streamed(agent, question)
        async for _ in result.stream_events():
            pass
        return result.final_output

    whole = Runner.run_sync(agent, question).final_output
    assert asyncio.run(streamed()) == whole
    return whole


failed = False
for client in [openai_chat, openai_responses, openai_embeddings, langchain, llama_index, litellm, openai_agents]:
    try:
        print(f"ok      {client.__name__}: {' '.join(client().split())[:80]}")
    except Exception as error:
        failed = True
        print(f"FAILED  {client.__name__}: {type(error).__name__}: {error}")
sys.exit(failed)
