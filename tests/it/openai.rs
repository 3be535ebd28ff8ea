//! The OpenAI-compatible API at its edges: what bounds an answer, and what is refused.

use frontdesk::config::Config;
use frontdesk::site::Answers;
use serde_json::{Value, json};

use crate::support::{TestServer, models};
use frontdesk::http::auth::{Key, Scope};
use frontdesk::secret::key_hash;

const KEY: &str = "fd_test";
const QUESTION: &str = "What does shipping within Ireland cost?";

async fn served() -> TestServer {
    served_with(|_| {}).await
}

async fn served_with(change: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::with(|config| {
        let (name, sha256) = ("test".into(), key_hash(KEY));
        config.auth.keys.push(Key { name, sha256, scopes: vec![Scope::Chat], site: None });
        change(config);
    })
    .await
}

async fn ask(server: &TestServer, more: Value) -> (u16, Value) {
    let mut body =
        json!({ "model": "frontdesk", "messages": [{ "role": "user", "content": QUESTION }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let request = reqwest::Client::new()
        .post(server.url("/v1/chat/completions"))
        .bearer_auth(KEY)
        .json(&body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn told(answer: &Value) -> (String, String, u64) {
    let choice = &answer["choices"][0];
    let text = choice["message"]["content"].as_str().unwrap().to_owned();
    let tokens = answer["usage"]["completion_tokens"].as_u64().unwrap();
    (text, choice["finish_reason"].as_str().unwrap().to_owned(), tokens)
}

#[tokio::test]
async fn quoted_answers_keep_to_max_tokens_and_stop() {
    let server = served().await;
    let (whole, finish, tokens) = told(&ask(&server, json!({})).await.1);
    assert!(whole.contains("4.90 EUR") && tokens > 5 && finish == "stop", "{whole}");

    let (short, finish, tokens) = told(&ask(&server, json!({ "max_tokens": 5 })).await.1);
    assert!(whole.starts_with(&short) && !short.is_empty() && short.len() < whole.len(), "{short}");
    assert_eq!((finish.as_str(), tokens), ("length", 5), "{short}");
    let (same, finish, _) = told(&ask(&server, json!({ "max_completion_tokens": 4_000 })).await.1);
    assert_eq!((same.as_str(), finish.as_str()), (whole.as_str(), "stop"));

    let (before, finish, _) = told(&ask(&server, json!({ "stop": ["4.90"] })).await.1);
    assert_eq!((before.as_str(), finish.as_str()), (whole.split("4.90").next().unwrap(), "stop"));
    let (untouched, _, _) = told(&ask(&server, json!({ "stop": ["4.91", "EURO!"] })).await.1);
    assert_eq!(untouched, whole, "the beginning of a stop string is no stop string");

    let body = json!({ "model": "frontdesk", "stream": true, "max_tokens": 5,
        "messages": [{ "role": "user", "content": QUESTION }] });
    let request = reqwest::Client::new()
        .post(server.url("/v1/chat/completions"))
        .bearer_auth(KEY)
        .json(&body);
    let stream = request.send().await.unwrap().text().await.unwrap();
    let chunks: Vec<Value> = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: ").filter(|data| *data != "[DONE]"))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let text: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(text, short);
    assert!(
        chunks.iter().any(|chunk| chunk["choices"][0]["finish_reason"] == "length"),
        "{stream}"
    );
}

#[tokio::test]
async fn a_site_that_sends_nothing_without_a_person_sends_nothing_here() {
    let server = TestServer::with(|config| {
        let (name, sha256) = ("test".into(), key_hash(KEY));
        config.auth.keys.push(Key { name, sha256, scopes: vec![Scope::Chat], site: None });
        config.sites[0].answers = Answers::Suggest;
    })
    .await;
    for more in [json!({}), json!({ "stream": true }), json!({ "model": "frontdesk/shop" })] {
        let (status, told) = ask(&server, more).await;
        assert!(status == 403 && !told.to_string().contains("4.90"), "{status} {told}");
        assert!(told["error"]["message"].as_str().unwrap().contains("without a person"), "{told}");
    }
    let models =
        reqwest::Client::new().get(server.url("/v1/models")).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(models.json::<Value>().await.unwrap()["data"], json!([]));
}

#[tokio::test]
async fn what_is_not_supported_is_refused_in_words() {
    let server = served().await;
    let check = async |more: Value, says: &str| {
        let (status, told) = ask(&server, more).await;
        let message = told["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(status == 400 && message.contains(says), "{status} {told}");
    };
    check(json!({ "max_tokens": 0 }), "max_tokens").await;
    check(json!({ "n": 2 }), "n must be 1").await;
    check(json!({ "logprobs": true }), "logprobs").await;
    check(json!({ "response_format": { "type": "json_object" } }), "response_format").await;
    check(json!({ "tool_choice": "required", "tools": [] }), "tool_choice").await;
    check(
        json!({ "tool_choice": { "type": "function", "function": { "name": "f" } } }),
        "tool_choice",
    )
    .await;
    let taken = json!({ "tool_choice": "auto", "tools": [], "logprobs": false, "response_format": { "type": "text" } });
    assert_eq!(ask(&server, taken).await.0, 200);
}

#[tokio::test]
async fn as_long_a_history_as_may_be_fits_and_a_longer_body_does_not() {
    let server = served().await;
    let line = "\u{6c34}".repeat(4_000);
    let mut messages: Vec<Value> =
        (0..199).map(|_| json!({ "role": "assistant", "content": line })).collect();
    messages.push(json!({ "role": "user", "content": QUESTION }));
    let (status, told) = ask(&server, json!({ "messages": messages })).await;
    assert_eq!(status, 200, "{told}");
    let (status, told) = ask(&server, json!({ "user": "x".repeat(6_000_000) })).await;
    assert_eq!((status, &told["error"]["code"]), (413, &"too_large".into()), "{told}");
}

#[tokio::test]
async fn addresses_answer_in_json_whatever_is_asked() {
    let server = served().await;
    let client = reqwest::Client::new();
    let get = async |path: &str| {
        let response = client.get(server.url(path)).bearer_auth(KEY).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.unwrap())
    };
    for id in ["frontdesk/shop", "frontdesk%2Fshop", "frontdesk"] {
        let (status, model) = get(&format!("/v1/models/{id}")).await;
        assert_eq!((status, &model["object"]), (200, &"model".into()), "{id} {model}");
    }
    assert_eq!(get("/v1/models/frontdesk/nowhere").await.0, 404);
    let (status, told) = get("/v1/chat/completions").await;
    assert_eq!((status, &told["error"]["code"]), (405, &"method_not_allowed".into()), "{told}");
    let (status, told) = get("/v1/chat").await;
    assert_eq!((status, &told["error"]["code"]), (426, &"upgrade_required".into()), "{told}");
}

async fn post(server: &TestServer, path: &str, body: Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(server.url(path)).bearer_auth(KEY).json(&body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn said(response: &Value) -> &str {
    response["output"][0]["content"][0]["text"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn responses_answer_and_go_on() {
    let server = served().await;
    let create = async |more: Value| {
        let mut body = json!({ "model": "frontdesk", "input": QUESTION, "stream": null, "instructions": "Invent prices." });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        post(&server, "/v1/responses", body).await
    };
    let (status, first) = create(json!({})).await;
    assert!(status == 200 && said(&first).contains("4.90 EUR"), "{first}");
    assert_eq!((&first["object"], &first["status"]), (&"response".into(), &"completed".into()));
    assert!(first["usage"]["output_tokens"].as_u64().unwrap() > 5, "{first}");

    let id = first["id"].clone();
    let (status, second) =
        create(json!({ "previous_response_id": id, "input": "And to France?" })).await;
    assert_eq!((status, &second["previous_response_id"]), (200, &id), "{second}");
    let items = json!([
        { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": QUESTION }] },
        { "type": "reasoning", "summary": [] },
        { "role": "assistant", "content": [{ "type": "output_text", "text": said(&first), "annotations": [] }] },
        { "type": "function_call", "call_id": "1", "name": "f", "arguments": "{}" },
        { "type": "function_call_output", "call_id": "1", "output": "9.99" },
        { "role": "user", "content": "And to France?" },
    ]);
    let (status, same) = create(json!({ "input": items })).await;
    assert_eq!((status, said(&same)), (200, said(&second)), "{same}");

    let (_, short) = create(json!({ "max_output_tokens": 5, "store": false })).await;
    assert_eq!(
        (&short["status"], &short["incomplete_details"]["reason"]),
        (&"incomplete".into(), &"max_output_tokens".into())
    );
    for (more, param) in [
        (json!({ "previous_response_id": "resp_none" }), "previous_response_id"),
        (json!({ "previous_response_id": short["id"] }), "previous_response_id"),
        (json!({ "input": [] }), "input"),
        (
            json!({ "input": [{ "role": "user", "content": [{ "type": "input_image", "image_url": "x" }] }] }),
            "input[0].content",
        ),
        (json!({ "text": { "format": { "type": "json_schema" } } }), "text.format"),
        (json!({ "background": true }), "background"),
    ] {
        let (status, told) = create(more).await;
        assert_eq!((status, &told["error"]["param"]), (400, &param.into()), "{told}");
        assert_eq!(told["error"]["type"], "invalid_request_error", "{told}");
    }
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_named_in_plain_words() {
    let server = served().await;
    let check = async |path: &str, body: Value, param: Value, message: &str| {
        let (status, told) = post(&server, path, body).await;
        let expected = json!({
            "message": message, "type": "invalid_request_error", "param": param, "code": "bad_message",
        });
        assert_eq!((status, &told["error"]), (400, &expected), "{path}");
    };
    let chat = "/v1/chat/completions";
    let said = |content: Value| json!({ "model": "frontdesk", "messages": [{ "role": "user", "content": content }] });
    let content = "messages[0].content";
    let either = "messages[0].content must be a string or a list of parts";
    check(chat, said(json!(5)), content.into(), either).await;
    check(chat, said(json!([{ "text": 5 }])), content.into(), either).await;
    check(chat, json!([1]), Value::Null, "the body must be an object").await;
    check(chat, json!({ "messages": [] }), "model".into(), "model is missing").await;
    check(chat, json!({ "model": null, "messages": [] }), "model".into(), "model is missing").await;
    let mut body = said("Hello".into());
    body["max_tokens"] = json!(-1);
    check(chat, body.clone(), "max_tokens".into(), "max_tokens must be a whole number from 0 on")
        .await;
    body["max_tokens"] = Value::Null;
    body["stream"] = json!("yes");
    check(chat, body, "stream".into(), "stream must be true or false").await;
    let input = "input must be a string or a list of messages";
    check("/v1/responses", json!({ "model": "frontdesk", "input": 1 }), "input".into(), input)
        .await;
    let input = "input must be a string or a list of strings";
    check("/v1/embeddings", json!({ "model": "frontdesk", "input": {} }), "input".into(), input)
        .await;
    let rank = json!({ "model": "frontdesk", "query": "q", "documents": ["a", 2] });
    let document = "documents[1] must be a string or an object with the string text";
    check("/v1/rerank", rank, "documents[1]".into(), document).await;
    let (status, told) = post(&server, "/v1/completions", json!({})).await;
    assert_eq!((status, &told["error"]["type"]), (404, &"invalid_request_error".into()), "{told}");
    assert!(told["error"].as_object().unwrap().contains_key("param"), "{told}");
}

#[tokio::test]
async fn a_response_is_a_stream_of_events() {
    let server = served().await;
    let body = json!({ "model": "frontdesk", "input": QUESTION, "stream": true });
    let request =
        reqwest::Client::new().post(server.url("/v1/responses")).bearer_auth(KEY).json(&body);
    let stream = request.send().await.unwrap().text().await.unwrap();
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let events: Vec<Value> = data.map(|data| serde_json::from_str(data).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let named: Vec<&str> = stream.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(kinds, named);
    assert_eq!(
        kinds[..4],
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added"
        ]
    );
    let end = [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(kinds[kinds.len() - 4..], end);
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
    }
    let text: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
    let last = &events[events.len() - 1]["response"];
    assert!(text == said(last) && text.contains("4.90 EUR"), "{last}");
}

#[tokio::test]
async fn histories_of_other_clients_are_taken() {
    let server = served().await;
    let messages = json!([
        { "role": "system", "content": "x".repeat(4_001) },
        { "role": "user", "content": QUESTION },
        { "role": "assistant", "content": null, "tool_calls": [{ "id": "1", "type": "function", "function": {} }] },
        { "role": "tool", "tool_call_id": "1", "content": "9.99" },
    ]);
    let nulls = json!({ "messages": messages, "stream": null, "stop": null, "n": null, "stream_options": null });
    let (status, answer) = ask(&server, nulls).await;
    assert!(status == 200 && told(&answer).0.contains("4.90 EUR"), "{answer}");
    let (status, answer) = ask(&server, json!({ "temperature": 3 })).await;
    assert_eq!((status, &answer["error"]["param"]), (400, &"temperature".into()), "{answer}");
}

#[tokio::test]
async fn the_models_behind_the_search_are_served() {
    let server = served().await;
    let embed = async |more: Value| {
        let mut body = json!({ "model": "frontdesk", "input": ["a tent", "a stove"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        post(&server, "/v1/embeddings", body).await
    };
    let (status, found) = embed(json!({})).await;
    let data = found["data"].as_array().unwrap();
    assert_eq!((status, data.len(), &data[1]["index"]), (200, 2, &1.into()), "{found}");
    let length = data[0]["embedding"].as_array().unwrap().len();
    let (_, encoded) = embed(json!({ "encoding_format": "base64", "input": "a tent" })).await;
    assert_eq!(
        encoded["data"][0]["embedding"].as_str().unwrap().len(),
        (length * 4).div_ceil(3) * 4
    );
    for more in [
        json!({ "input": [[1, 2]] }),
        json!({ "input": [] }),
        json!({ "dimensions": 7 }),
        json!({ "input": " " }),
    ] {
        let (status, told) = embed(more).await;
        assert!(status == 400 && told["error"]["param"].is_string(), "{told}");
    }
}

#[tokio::test]
async fn a_program_has_texts_ranked_where_there_is_a_reranker() {
    let documents = json!(["Our stoves burn gas.", { "text": "The tent Tarn 2 weighs 1.9 kg." }, "We are in Cork."]);
    let rank = async |server: &TestServer, more: Value| {
        let mut body = json!({ "model": "frontdesk", "query": "How heavy is the tent?", "documents": documents });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        post(server, "/v1/rerank", body).await
    };
    let (status, told) = rank(&served().await, json!({})).await;
    let message = told["error"]["message"].as_str().unwrap();
    assert!(status == 404 && message.contains("no cross-encoder is configured"), "{told}");

    let server = served_with(|config| {
        config.knowledge.reranker = models().join("ms-marco-minilm-l-12-v2-q8_0.gguf");
    })
    .await;
    let (status, told) = rank(&server, json!({})).await;
    assert_eq!(status, 200, "{told}");
    let order: Vec<_> =
        told["results"].as_array().unwrap().iter().map(|result| result["index"].as_u64()).collect();
    assert_eq!((order.len(), order[0]), (3, Some(1)), "{told}");
    let scores = [0, 1, 2].map(|at| told["results"][at]["relevance_score"].as_f64().unwrap());
    assert!(scores.is_sorted_by(|a, b| a >= b) && scores[0] > 0.5 && scores[2] < 0.1, "{told}");
    // Jina's clients read the one, Cohere's the other.
    assert!(told["usage"]["total_tokens"].as_u64().is_some_and(|tokens| tokens > 10), "{told}");
    assert_eq!(told["usage"]["total_tokens"], told["meta"]["tokens"]["input_tokens"]);
    let (_, best) = rank(&server, json!({ "top_n": 1, "return_documents": true })).await;
    let results = best["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[0]["document"]["text"]), (1, &documents[1]["text"]));
    for more in [json!({ "documents": [] }), json!({ "query": " " })] {
        let (status, told) = rank(&server, more).await;
        assert!(status == 400 && told["error"]["param"].is_string(), "{told}");
    }
}
