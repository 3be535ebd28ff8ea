//! Requests for something done on the visitor's own order: what a site's action answers, and what
//! is said where none does.

use super::{Ask, Outlet, Output, Spine, TurnError, say};
use crate::actions::Call;
use crate::actions::form::{Step, step};
use crate::conversation::{AnswerEnd, Citation, Usage, Verdict};
use crate::grounding::{Evidence, Ruling, Source, Unit, compose, units};
use crate::reason::abilities::Request;

/// A reply of the shop's own system is as sure as it is.
const SURE: f32 = 1.0;

/// Asks for what an action of the site needs, or gives its reply. `None` where no action serves the
/// message.
pub(super) async fn answer(
    spine: &Spine,
    ask: &Ask,
    out: &mut Outlet,
) -> Result<Option<Verdict>, TurnError> {
    let language = ask.spoken().unwrap_or(&ask.language);
    let (action, inputs) =
        match step(spine.actions.of(&ask.site), &ask.history, &ask.question, language) {
            None => return Ok(None),
            Some(Step::Ask(text)) => {
                return say(out, ask, Ok(text), AnswerEnd::Clarified, SURE).await.map(Some);
            }
            Some(Step::Call { action, inputs }) => (action, inputs),
        };
    let call = Call { site: &ask.site, language, inputs: &inputs, now_ms: spine.clock.now_ms() };
    match action.call(&call).await {
        Ok(reply) => tell(spine, ask, &action.name, &reply, out).await.map(Some),
        Err(error) => {
            tracing::warn!(action = action.name, site = ask.site, %error, "an action failed; a person is offered");
            let text = spine.prompts.unable(&ask.facts, Request::Status, false, language);
            say(out, ask, text, AnswerEnd::Declined, SURE).await.map(Some)
        }
    }
}

/// What is said before the knowledge's own words on a deed that only a person can do; `way` where
/// they follow.
pub(super) fn unable(
    spine: &Spine,
    ask: &Ask,
    way: bool,
    language: &str,
) -> Option<anyhow::Result<String>> {
    ask.request.map(|request| spine.prompts.unable(&ask.facts, request, way, language))
}

/// What is said where the knowledge holds no answer, or not yet.
pub(super) fn decline(spine: &Spine, ask: &Ask, language: &str) -> anyhow::Result<String> {
    unable(spine, ask, false, language).unwrap_or_else(|| {
        if spine.retrieval.filling.is_under_way() {
            spine.prompts.preparing(&ask.facts, language)
        } else {
            spine.prompts.decline(&ask.facts, language)
        }
    })
}

/// The reply goes the way of every source: in pieces without orders to the assistant, each through
/// the gate, and cited.
async fn tell(
    spine: &Spine,
    ask: &Ask,
    action: &str,
    reply: &str,
    out: &mut Outlet,
) -> Result<Verdict, TurnError> {
    let evidence = Evidence::of([Source { text: reply, context: action }], []);
    let stands = |unit: &Unit| matches!(evidence.rule(&unit.text), Ruling::Send { .. });
    let chosen: Vec<Unit> = units(0, reply).into_iter().filter(stands).collect();
    let text = compose(String::new(), &chosen);
    if text.is_empty() {
        let language = ask.spoken().unwrap_or(&ask.language);
        let text = spine.prompts.unable(&ask.facts, Request::Status, false, language);
        return say(out, ask, text, AnswerEnd::Declined, SURE).await;
    }
    let citation = Citation {
        n: 1,
        document: format!("action:{action}"),
        title: action.replace('_', " "),
        headings: Vec::new(),
        quote: text.clone(),
        url: None,
        start: 0,
        end: reply.len() as u64,
        related: false,
    };
    let rest = text.strip_prefix(&ask.written).map_or_else(|| format!("\n\n{text}"), str::to_owned);
    out.send(Output::Text(rest)).await?;
    out.send(Output::Citation(citation.clone())).await?;
    let usage =
        Usage { completion_tokens: spine.retrieval.count_tokens(&text), ..Usage::default() };
    Ok(Verdict {
        citations: vec![citation],
        confidence: SURE,
        usage,
        end: AnswerEnd::Complete,
        withheld: 0,
    })
}
