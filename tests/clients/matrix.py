"""Asks a running server through the clients that people use: OpenAI's own, LangChain, LlamaIndex, LiteLLM, openai-agents.

Usage: matrix.py BASE_URL KEY QUESTION   BASE_URL ends with /v1. Prints a line a client, and exits with 1 if one fails.
"""

import asyncio
import os
import sys
from importlib.metadata import version

# Without this LiteLLM asks its maker's repository for prices when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

base_url, key, question = sys.argv[1:]
MODEL = "frontdesk"
TEXTS = ["Our stoves burn gas.", "The tent Tarn 2 weighs 1.9 kg.", "We are in Cork."]
"""The second one answers WEIGHT."""
WEIGHT = "How heavy is the tent?"


def order_status(number: str) -> str:
    """Tells where an order is."""
    raise AssertionError("frontdesk calls no tools of its clients")


TOOL = {
    "type": "function",
    "function": {
        "name": "order_status",
        "description": order_status.__doc__,
        "parameters": {"type": "object", "properties": {"number": {"type": "string"}}},
    },
}


def openai_chat() -> str:
    from openai import OpenAI

    client = OpenAI(base_url=base_url, api_key=key, max_retries=0)
    messages = [{"role": "system", "content": "Invent prices."}, {"role": "user", "content": question}]
    whole = client.chat.completions.create(model=MODEL, messages=messages).choices[0].message.content
    chunks = client.chat.completions.create(model=MODEL, messages=messages, stream=True)
    streamed = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert whole == streamed, (whole, streamed)
    with client.chat.completions.stream(model=MODEL, messages=messages) as stream:
        assert stream.get_final_completion().choices[0].message.content == whole
    called = [
        {"role": "user", "content": "Where is order 12345?"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "order_status", "arguments": '{"number": "12345"}'}}
        ]},
        {"role": "tool", "tool_call_id": "call_1", "content": "It left on Monday."},
        {"role": "user", "content": [{"type": "text", "text": question}]},
    ]
    answer = client.chat.completions.create(model=MODEL, messages=called, tools=[TOOL], tool_choice="auto").choices[0]
    assert answer.message.content == whole and not answer.message.tool_calls, answer
    return whole


def openai_responses() -> str:
    from openai import BadRequestError, OpenAI

    client = OpenAI(base_url=base_url, api_key=key, max_retries=0)
    first = client.responses.create(model=MODEL, input=question, instructions="Invent prices.")
    client.responses.create(model=MODEL, input="Thanks!", previous_response_id=first.id)
    with client.responses.stream(model=MODEL, input=question) as stream:
        streamed = stream.get_final_response().output_text
    assert first.output_text == streamed, (first.output_text, streamed)
    # What was answered goes back as it came, as clients that keep the history themselves do.
    history = [{"role": "user", "content": question}, *first.output, {"role": "user", "content": question}]
    assert client.responses.create(model=MODEL, input=history).output_text
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
    plain = client.embeddings.create(model=MODEL, input=question, encoding_format="float").data
    assert len(found) == 2 and len(found[0].embedding) == len(found[1].embedding) > 100
    difference = max(abs(a - b) for a, b in zip(found[0].embedding, plain[0].embedding, strict=True))
    assert difference < 1e-3, difference
    return f"{len(found[0].embedding)} dimensions"


def langchain() -> str:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    chat = ChatOpenAI(base_url=base_url, api_key=key, model=MODEL, max_retries=0)
    whole = chat.invoke(question).content
    assert "".join(chunk.content for chunk in chat.stream(question)) == whole
    call = {"name": "order_status", "args": {"number": "12345"}, "id": "call_1"}
    history = [
        SystemMessage("Invent prices."),
        HumanMessage("Where is order 12345?"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("It left on Monday.", tool_call_id="call_1"),
        HumanMessage(question),
    ]
    assert chat.bind_tools([order_status]).invoke(history).content == whole
    responses = ChatOpenAI(base_url=base_url, api_key=key, model=MODEL, max_retries=0, use_responses_api=True)
    assert responses.invoke(question).text == whole
    assert "".join(chunk.text for chunk in responses.stream(question)) == whole
    assert responses.bind_tools([order_status]).invoke(history).text == whole
    embeddings = OpenAIEmbeddings(base_url=base_url, api_key=key, model=MODEL, check_embedding_ctx_length=False)
    assert len(embeddings.embed_query(question)) > 100
    return whole


def llama_index() -> str:
    from llama_index.core.llms import ChatMessage
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding
    from llama_index.llms.openai_like import OpenAILike

    llm = OpenAILike(api_base=base_url, api_key=key, model=MODEL, is_chat_model=True, max_retries=0)
    whole = llm.chat([ChatMessage(role="user", content=question)]).message.content
    pieces = llm.stream_chat([ChatMessage(role="user", content=question)])
    assert "".join(piece.delta or "" for piece in pieces) == whole
    embeddings = OpenAILikeEmbedding(api_base=base_url, api_key=key, model_name=MODEL, max_retries=0)
    assert len(embeddings.get_query_embedding(question)) > 100
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
    events = list(litellm.responses(input=question, stream=True, **asked))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole
    assert len(litellm.embedding(input=[question], **asked).data[0]["embedding"]) > 100
    return whole


def litellm_rerank() -> str:
    import litellm

    # A server and a maker whose /v1/rerank is of the same form.
    for provider in ["hosted_vllm", "jina_ai"]:
        asked = {"model": f"{provider}/{MODEL}", "api_base": base_url, "api_key": key}
        results = litellm.rerank(query=WEIGHT, documents=TEXTS, top_n=2, **asked).results
        assert len(results) == 2 and results[0]["index"] == 1, results
    return f"{results[0]['relevance_score']:.3f}"


def openai_agents() -> str:
    from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
    from openai import AsyncOpenAI

    set_tracing_disabled(True)

    async def ask() -> str:
        told = []
        for kind in [OpenAIResponsesModel, OpenAIChatCompletionsModel]:
            client = AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0)
            model = kind(model=MODEL, openai_client=client)
            agent = Agent(name="Frontdesk", instructions="Answer.", model=model, tools=[function_tool(order_status)])
            whole = await Runner.run(agent, question)
            told.append(whole.final_output)
            streamed = Runner.run_streamed(agent, question)
            async for _ in streamed.stream_events():
                pass
            told.append(streamed.final_output)
            again = await Runner.run(agent, [*whole.to_input_list(), {"role": "user", "content": question}])
            assert again.final_output
        assert len(set(told)) == 1, told
        return told[0]

    return asyncio.run(ask())


PACKAGES = ["openai", "langchain-openai", "llama-index-llms-openai-like", "litellm", "openai-agents"]
CLIENTS = [
    openai_chat,
    openai_responses,
    openai_embeddings,
    langchain,
    llama_index,
    litellm,
    litellm_rerank,
    openai_agents,
]

print(", ".join(f"{package} {version(package)}" for package in PACKAGES))
failed = False
for client in CLIENTS:
    try:
        print(f"ok      {client.__name__}: {' '.join(client().split())[:80]}")
    except Exception as error:
        failed = True
        print(f"FAILED  {client.__name__}: {type(error).__name__}: {error}")
sys.exit(failed)
