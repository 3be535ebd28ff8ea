//! Who computes what in the next step. Pure: no llama.cpp, no clock, no channels.
//!
//! Continuous batching: every step carries one token of each running answer first and fills what is
//! left of its budget with prompts, in chunks, so a long prompt never stops the others' tokens and
//! a new request joins at the next step. The budget follows the measured speed
//! ([`pace`](super::pace)) and who waits: whole batches while nobody reads an answer, short steps
//! while somebody does.
//!
//! Requests have priorities: one is admitted when nobody of a higher one waits, goes back into its
//! line when somebody comes for whom there is no slot or room, and its prompt gets what the higher
//! ones leave of a step.
//!
//! Invariants, which the property tests hold it to: a request owns at most one sequence and a
//! sequence at most one request; a step has at most `batch_tokens` tokens; every admitted request
//! has room for its prompt and its longest answer; requests are admitted by priority and then in
//! the order in which they came, and every one of them ends once none of a higher one comes.

use std::collections::VecDeque;
use std::time::Duration;

use super::asleep::{Owner, SnapshotId};
use super::pace::{Pace, StepTimes};
use super::prefix::{Cache, Op, Saving, SeqId, worth_waiting};
use super::tokens::TokenId;

/// A request's number, increasing in the order of arrival.
pub type RequestId = u64;

/// Share of the prompt budget that the longest-running prompt gets, before the shortest ones take
/// the rest.
const GRANT_SHARE: usize = 4;

/// Bytes of conversations' files that a step reads while somebody reads an answer, so
/// that it isn't held up for long.
const FILE_BYTES_BESIDE: u64 = 64 << 20;

/// What the scheduler may spend.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests that run at the same time.
    pub parallel: usize,
    /// Requests that may wait.
    pub queue: usize,
    /// Tokens of one step at most (llama.cpp's `n_batch`); not less than `parallel`.
    pub batch_tokens: usize,
    /// How long steps should take.
    pub times: StepTimes,
    /// Cells that finished conversations may hold beside running ones; what is more goes to sleep.
    pub kept_awake: usize,
}

/// Who goes first. A request that finds no slot or room sends one of a lower priority back into its
/// line, the last one that was admitted; so a lower priority may wait as long as a higher one keeps
/// the engine full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A visitor waits for the answer.
    Visitor,
    /// An agent waits for a suggested reply.
    Suggestion,
    /// A passage is judged before the answer, or nobody waits.
    Judgement,
}

impl Priority {
    pub const ALL: [Self; 3] = [Self::Visitor, Self::Suggestion, Self::Judgement];

    /// Whether text is written, not a yes or no.
    #[must_use]
    pub fn writes(self) -> bool {
        self != Self::Judgement
    }
}

/// A request as the scheduler knows it.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: RequestId,
    /// Never empty.
    pub prompt: Vec<TokenId>,
    /// Tokens that may be generated at most, at least one.
    pub max_new: usize,
    pub priority: Priority,
    /// Whose conversation it is, to forget it alone.
    pub owner: Owner,
    /// Whether what is computed of it is kept for a next turn, as long as there is room.
    pub keep: bool,
}

/// Part of a step: these tokens of one request, at these positions of its sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub id: RequestId,
    pub seq: SeqId,
    /// Position of the first token.
    pub start: usize,
    pub tokens: Vec<TokenId>,
    /// The last token's logits are needed: the next token of the answer is drawn from them.
    pub sample: bool,
    /// Part of a prompt, not an answer's own token.
    pub prompt: bool,
}

/// What happens next: first the operations on the KV cache, then one decode of all chunks together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub ops: Vec<Op>,
    pub chunks: Vec<Chunk>,
    /// Requests that left the queue, with how many tokens of their prompt were in the cache.
    pub started: Vec<RequestId>,
}

impl Plan {
    /// Tokens of the step.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.tokens.len()).sum()
    }
}

/// The state of all requests.
#[derive(Debug)]
pub struct Scheduler {
    limits: Limits,
    cache: Cache,
    pace: Pace,
    /// One line for each priority, the highest first.
    lines: [VecDeque<Job>; Priority::ALL.len()],
    /// In the order of admission.
    running: Vec<Running>,
    /// For the next plan.
    ops: Vec<Op>,
}

#[derive(Debug)]
struct Running {
    id: RequestId,
    /// Prompt and answer so far.
    tokens: Vec<TokenId>,
    /// Where the answer begins in `tokens`.
    prompt_tokens: usize,
    /// `tokens` can't get longer than this.
    limit: usize,
    /// `None` until the first tokens are planned.
    seq: Option<SeqId>,
    /// Tokens in the KV cache.
    computed: usize,
    /// How many of them were there already.
    cached: usize,
    /// An earlier request computes the first so many tokens of this prompt; wait and share them.
    follows: Option<(RequestId, usize)>,
    priority: Priority,
    owner: Owner,
    keep: bool,
}

impl Running {
    fn remaining(&self) -> usize {
        self.tokens.len() - self.computed
    }

    fn answering(&self) -> bool {
        self.tokens.len() > self.prompt_tokens && self.remaining() == 1
    }

    /// Cells it may still need.
    fn outstanding(&self) -> usize {
        self.limit - self.computed
    }
}

impl Scheduler {
    #[must_use]
    pub fn new(limits: Limits, cache: Cache) -> Self {
        let pace = Pace::new(limits.times);
        Self {
            limits,
            cache,
            pace,
            lines: Default::default(),
            running: Vec::new(),
            ops: Vec::new(),
        }
    }

    /// The KV cache's books.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.lines.iter().all(VecDeque::is_empty) && self.running.is_empty()
    }

    /// Requests that run, without judgements.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.iter().filter(|running| running.priority.writes()).count()
    }

    /// Requests in line, without judgements.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.line().count()
    }

    /// Requests in line, the next one first, without judgements.
    pub fn line(&self) -> impl Iterator<Item = RequestId> + '_ {
        self.lines.iter().flatten().filter(|job| job.priority.writes()).map(|job| job.id)
    }

    /// Every request that waits or runs.
    pub fn ids(&self) -> impl Iterator<Item = RequestId> + '_ {
        self.running
            .iter()
            .map(|running| running.id)
            .chain(self.lines.iter().flatten().map(|job| job.id))
    }

    /// Tokens of a running request's prompt that were in the cache.
    #[must_use]
    pub fn cached_tokens(&self, id: RequestId) -> usize {
        self.running.iter().find(|running| running.id == id).map_or(0, |running| running.cached)
    }

    /// Takes a request in line. A job that has no prompt, can't generate, or could never fit the
    /// cache comes back, and so does one more than the line holds. Judgements have a line of the
    /// same length.
    ///
    /// # Errors
    /// The job itself.
    pub fn enqueue(&mut self, job: Job) -> Result<(), Job> {
        let total = job.prompt.len() + job.max_new;
        let capacity = self.cache.free() + self.cache.used();
        let alike = |priority: Priority| priority.writes() == job.priority.writes();
        let running = self.running.iter().filter(|running| alike(running.priority)).count();
        let waiting = self.lines.iter().flatten().filter(|job| alike(job.priority)).count();
        let full = waiting + running >= self.limits.parallel + self.limits.queue;
        if job.prompt.is_empty() || job.max_new == 0 || total > capacity || full {
            return Err(job);
        }
        self.lines[job.priority as usize].push_back(job);
        Ok(())
    }

    /// Removes a request, whose KV is forgotten: nobody waits for the rest of it.
    pub fn cancel(&mut self, id: RequestId) {
        self.lines.iter_mut().for_each(|line| line.retain(|job| job.id != id));
        self.end(id, false);
    }

    /// Ends a running request whose answer is complete. Its KV is kept for a next turn as long as
    /// there is room.
    pub fn finish(&mut self, id: RequestId) {
        self.end(id, true);
    }

    /// A finished conversation that is to have a file, as [`Cache::unsaved`] says.
    #[must_use]
    pub fn unsaved(&self, skip: impl Fn(u64, usize) -> bool) -> Option<Saving> {
        self.cache.unsaved(skip)
    }

    /// Gives up files until one of so many bytes has room. Returns whether it has.
    #[must_use]
    pub fn make_file_room(&mut self, bytes: u64) -> bool {
        self.cache.make_file_room(bytes, &mut self.ops)
    }

    /// Notes a file that was there at the start.
    pub fn find_file(
        &mut self,
        owner: u64,
        tokens: Vec<TokenId>,
        from: usize,
        bytes: u64,
    ) -> SnapshotId {
        self.cache.add_file(owner, tokens, from, None, bytes)
    }

    /// Notes the file of a conversation that was written just now.
    pub fn add_file(&mut self, saved: Saving, bytes: u64) -> SnapshotId {
        let Saving { owner, tokens, from, used_at, .. } = saved;
        self.cache.add_file(owner, tokens, from, Some(used_at), bytes)
    }

    /// Puts the request that was admitted last back at the head of the line, with what it has
    /// generated, and forgets its KV. For a decode that found no room in spite of the books.
    /// Returns false if only one runs.
    pub fn requeue_last(&mut self) -> bool {
        if self.running.len() < 2 {
            return false;
        }
        self.requeue(self.running.len() - 1, false);
        true
    }

    /// Forgets the KV of all finished conversations. Returns whether there was any.
    pub fn forget_kept(&mut self) -> bool {
        self.cache.clear_kept(&mut self.ops)
    }

    /// Forgets what is kept of one conversation, awake and asleep, and what is kept of nobody's in
    /// particular.
    pub fn forget(&mut self, owner: u64) {
        let concerned = |of: Owner| of.is_none_or(|of| of == owner);
        self.cache.forget(concerned, &mut self.ops);
        let running = self.running.iter_mut().map(|running| (running.owner, &mut running.keep));
        let waiting = self.lines.iter_mut().flatten().map(|job| (job.owner, &mut job.keep));
        for (_, keep) in running.chain(waiting).filter(|(of, _)| *of == Some(owner)) {
            *keep = false;
        }
    }

    /// The operation at `at` of a plan's failed. Where that leaves sequences without tokens that
    /// the books say they have, their requests begin again: its own, and those that share what is
    /// missing. A snapshot that couldn't be put back is given up. Returns whether any request
    /// begins again, so that the plan is void.
    pub fn restart(&mut self, ops: &[Op], at: usize) -> bool {
        // Sequences with the number of tokens that they really have.
        let mut lacking: Vec<(SeqId, usize)> = Vec::new();
        match ops.get(at) {
            Some(&Op::Wake { id, seq, from, .. }) => {
                self.cache.lose(id, &mut self.ops);
                lacking.push((seq, from));
            }
            Some(&Op::Share { to, .. }) => lacking.push((to, 0)),
            // It is kept in the books alone.
            Some(&Op::Sleep { id, .. }) => self.cache.lose(id, &mut self.ops),
            _ => {}
        }
        for op in ops.iter().skip(at + 1) {
            if let Op::Share { from, to, tokens } = *op
                && let Some(&(_, has)) =
                    lacking.iter().find(|(seq, has)| *seq == from && *has < tokens)
            {
                lacking.push((to, has));
            }
        }
        let mut any = false;
        for (seq, _) in lacking {
            if let Some(at) = self.running.iter().position(|running| running.seq == Some(seq)) {
                self.requeue(at, false);
                any = true;
            }
        }
        any
    }

    /// Operations on the KV cache that are due although no step follows.
    pub fn take_ops(&mut self) -> Vec<Op> {
        std::mem::take(&mut self.ops)
    }

    /// Admits who fits and plans the next step. An empty step means that nobody has anything to
    /// compute.
    pub fn plan(&mut self) -> Plan {
        let read = self.running.iter().any(Running::answering);
        self.cache.limit_files(if read { FILE_BYTES_BESIDE } else { u64::MAX });
        let mut plan = Plan { started: self.admit(), ..Plan::default() };
        self.open_sequences();
        // One at a time: a snapshot takes milliseconds, for which the running ones wait.
        if !self.running.is_empty() {
            self.cache.retire(self.limits.kept_awake, &mut self.ops);
        }

        for running in self.running.iter().filter(|running| running.answering()) {
            plan.chunks.extend(chunk_of(running, 1));
        }
        let answering = plan.chunks.len();
        let rows = self.pace.rows(answering, self.cache.used(), self.limits.batch_tokens);
        // Prompts first: attention is computed in tiles of rows, and a tile that belongs to one
        // conversation skips the cells of all others.
        let prompts = self.share_out(rows.saturating_sub(answering));
        let prompts =
            prompts.into_iter().filter_map(|(at, tokens)| chunk_of(&self.running[at], tokens));
        plan.chunks.splice(0..0, prompts);

        if !self.cache.make_room(plan.tokens(), &mut self.ops) {
            debug_assert!(false, "admission reserves room for every running request");
        }
        plan.ops = std::mem::take(&mut self.ops);
        plan
    }

    /// Notes that a plan was carried out, and how long it took.
    pub fn done(&mut self, plan: &Plan, took: Duration) {
        self.pace.note(plan.tokens(), self.cache.used() + plan.tokens(), took);
        for chunk in &plan.chunks {
            let Some(running) = self.running.iter_mut().find(|running| running.id == chunk.id)
            else {
                continue;
            };
            running.computed += chunk.tokens.len();
            if !self.cache.append(chunk.seq, &chunk.tokens) {
                debug_assert!(false, "plan() made room");
            }
        }
    }

    /// Adds a token to a running answer. Returns false when the answer has its longest length and
    /// can't go on.
    #[must_use]
    pub fn push(&mut self, id: RequestId, token: TokenId) -> bool {
        let Some(running) = self.running.iter_mut().find(|running| running.id == id) else {
            return false;
        };
        running.tokens.push(token);
        running.tokens.len() < running.limit
    }

    fn end(&mut self, id: RequestId, keep: bool) {
        let Some(at) = self.running.iter().position(|running| running.id == id) else { return };
        let running = self.running.remove(at);
        if let Some(seq) = running.seq {
            self.cache.close(seq, keep && running.keep, &mut self.ops);
        }
    }

    /// Puts a running request back at the head of its line, with what it has generated.
    fn requeue(&mut self, at: usize, keep: bool) {
        let Running { id, tokens, limit, seq, priority, owner, keep: kept, .. } =
            self.running.remove(at);
        if let Some(seq) = seq {
            self.cache.close(seq, keep && kept, &mut self.ops);
        }
        let max_new = (limit - tokens.len()).max(1);
        let job = Job { id, prompt: tokens, max_new, priority, owner, keep: kept };
        self.lines[priority as usize].push_front(job);
    }

    /// Moves requests from the lines to the running ones, in order, while there is a slot and room
    /// for all they may need.
    fn admit(&mut self) -> Vec<RequestId> {
        let mut started = Vec::new();
        while let Some(job) = self.lines.iter().find_map(VecDeque::front) {
            let priority = job.priority;
            // Enough files are read for one step.
            let Some(cached) = self.cache.reach(&job.prompt, job.owner) else { break };
            let Some(follows) = self.fits(job, cached) else {
                // Who gives way goes back into line, the last one of the lowest priority first;
                // what was computed stays as long as there is room.
                let lower = self
                    .running
                    .iter()
                    .enumerate()
                    .filter(|(_, running)| running.priority > priority);
                let Some((last, _)) = lower.max_by_key(|&(at, running)| (running.priority, at))
                else {
                    break;
                };
                self.requeue(last, true);
                continue;
            };
            let Some(job) = self.lines[priority as usize].pop_front() else { break };
            started.push(job.id);
            self.running.push(Running {
                id: job.id,
                prompt_tokens: job.prompt.len(),
                limit: job.prompt.len() + job.max_new,
                tokens: job.prompt,
                seq: None,
                computed: 0,
                cached: 0,
                follows,
                priority,
                owner: job.owner,
                keep: job.keep,
            });
            if follows.is_none() {
                self.open(self.running.len() - 1);
            }
        }
        started
    }

    /// Whether there is a slot and room for all that a job may need, of whose prompt so many tokens
    /// needn't be computed; if so, whose prompt it waits
    /// for, and for how much of it.
    #[expect(
        clippy::option_option,
        reason = "no room, or room with or without somebody to wait for"
    )]
    fn fits(&self, job: &Job, cached: usize) -> Option<Option<(RequestId, usize)>> {
        if self.running.len() >= self.limits.parallel {
            return None;
        }
        let found = self.cache.longest_match(&job.prompt);
        let computing = self.running.iter().filter(|other| other.computed < other.prompt_tokens);
        let follows = computing
            // Nobody waits for one that gives way to it.
            .filter(|other| other.priority <= job.priority)
            .filter_map(|other| {
                let shared =
                    worth_waiting(&job.prompt, &other.tokens[..other.prompt_tokens], cached)?;
                Some((other.id, shared))
            })
            .max_by_key(|&(id, shared)| (shared, std::cmp::Reverse(id)));
        // A request that waits for another one's prompt may have to compute it itself if that one
        // is cancelled, so it reserves everything; the others only what the cache doesn't have.
        let total = job.prompt.len() + job.max_new;
        let (reserve, pinned) = match (follows, found) {
            (None, Some(found)) => (total - found.tokens, self.cache.kept_cells(found)),
            _ => (total, 0),
        };
        let outstanding: usize = self.running.iter().map(Running::outstanding).sum();
        (self.cache.free() + self.cache.evictable() >= outstanding + reserve + pinned)
            .then_some(follows)
    }

    /// Opens sequences of requests whose wait for a shared prefix is over.
    fn open_sequences(&mut self) {
        for at in 0..self.running.len() {
            let ready = self.running[at].follows.is_none_or(|(leader, tokens)| {
                let leader = self.running.iter().find(|other| other.id == leader);
                leader.is_none_or(|leader| leader.computed >= tokens)
            });
            if self.running[at].seq.is_none() && ready {
                self.open(at);
            }
        }
    }

    fn open(&mut self, at: usize) {
        let Some((seq, cached)) =
            self.cache.open(&self.running[at].tokens, self.running[at].owner, &mut self.ops)
        else {
            return;
        };
        let running = &mut self.running[at];
        running.seq = Some(seq);
        running.follows = None;
        running.computed = cached;
        running.cached = cached;
    }

    /// Shares the prompt budget out: a part to the prompt that was admitted first, so that none
    /// starves, the rest to the shortest remaining ones, which are the soonest to answer; what is
    /// left then to those that give way. Returns indices into `running` and tokens.
    fn share_out(&self, budget: usize) -> Vec<(usize, usize)> {
        let (mut shares, mut left) = (Vec::new(), budget);
        for priority in Priority::ALL {
            let mut prompts: Vec<(usize, usize)> = self
                .running
                .iter()
                .enumerate()
                .filter(|(_, running)| running.priority == priority)
                .filter(|(_, running)| {
                    running.seq.is_some() && !running.answering() && running.remaining() > 0
                })
                .map(|(at, running)| (at, running.remaining()))
                .collect();
            let Some(&(oldest, wanted)) = prompts.first() else { continue };
            let grant = wanted.min(left.div_ceil(GRANT_SHARE));
            left -= grant;
            prompts.sort_by_key(|&(at, remaining)| (remaining, at));
            for (at, remaining) in prompts {
                let granted = if at == oldest { grant } else { 0 };
                let more = left.min(remaining - granted);
                left -= more;
                if granted + more > 0 {
                    shares.push((at, granted + more));
                }
            }
        }
        shares
    }
}

fn chunk_of(running: &Running, tokens: usize) -> Option<Chunk> {
    let end = running.computed + tokens;
    Some(Chunk {
        id: running.id,
        seq: running.seq?,
        start: running.computed,
        tokens: running.tokens[running.computed..end].to_vec(),
        sample: end == running.tokens.len(),
        prompt: running.computed < running.prompt_tokens,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn scheduler(parallel: usize, capacity: usize, asleep: usize) -> Scheduler {
        let times = StepTimes { gap: 60 * MS, longest_gap: 150 * MS, unread: 500 * MS };
        let limits = Limits { parallel, queue: 100, batch_tokens: 64, times, kept_awake: 40 };
        Scheduler::new(limits, Cache::new(parallel * 2, capacity, true, asleep))
    }

    fn job(id: RequestId, prompt: impl IntoIterator<Item = TokenId>, max_new: usize) -> Job {
        Job {
            id,
            prompt: prompt.into_iter().collect(),
            max_new,
            priority: Priority::Visitor,
            owner: None,
            keep: true,
        }
    }

    fn yielding(id: RequestId, prompt: impl IntoIterator<Item = TokenId>) -> Job {
        Job { priority: Priority::Judgement, ..job(id, prompt, 1) }
    }

    /// Carries a plan out in no time; answers each draw with `token`, and finishes answers at their
    /// longest. Returns who drew.
    fn step(scheduler: &mut Scheduler, token: TokenId) -> (Plan, Vec<RequestId>) {
        let plan = scheduler.plan();
        scheduler.done(&plan, MS);
        let drew: Vec<_> =
            plan.chunks.iter().filter(|chunk| chunk.sample).map(|chunk| chunk.id).collect();
        for &id in &drew {
            if !scheduler.push(id, token) {
                scheduler.finish(id);
            }
        }
        (plan, drew)
    }

    /// `(request, tokens)` of a plan.
    fn sizes(plan: &Plan) -> Vec<(RequestId, usize)> {
        plan.chunks.iter().map(|chunk| (chunk.id, chunk.tokens.len())).collect()
    }

    #[test]
    fn a_new_request_joins_at_the_next_step() {
        let mut scheduler = scheduler(4, 1000, 0);
        scheduler.enqueue(job(1, 0..10, 5)).unwrap();
        assert_eq!(sizes(&step(&mut scheduler, 500).0), [(1, 10)]);
        scheduler.enqueue(job(2, 100..108, 5)).unwrap();
        let (plan, _) = step(&mut scheduler, 500);
        assert_eq!((plan.started.as_slice(), sizes(&plan)), ([2].as_slice(), vec![(2, 8), (1, 1)]));
        assert_eq!(sizes(&step(&mut scheduler, 500).0), [(1, 1), (2, 1)]);
    }

    #[test]
    fn a_long_prompt_comes_in_chunks_beside_the_answers() {
        let mut scheduler = scheduler(4, 1000, 0);
        scheduler.enqueue(job(1, 0..4, 50)).unwrap();
        step(&mut scheduler, 500);
        scheduler.enqueue(job(2, 100..300, 5)).unwrap();
        let mut steps = 0;
        loop {
            let (plan, drew) = step(&mut scheduler, 500);
            assert!(drew.contains(&1), "the running answer gets its token in every step");
            assert!(plan.tokens() <= 64);
            steps += 1;
            if drew.contains(&2) {
                break;
            }
        }
        assert!((200 / 64..12).contains(&steps), "{steps} steps");
    }

    #[test]
    fn the_shortest_prompt_goes_first_and_the_oldest_has_a_grant() {
        let mut scheduler = scheduler(4, 2000, 0);
        scheduler.enqueue(job(1, 0..500, 5)).unwrap();
        scheduler.enqueue(job(2, 1000..1010, 5)).unwrap();
        scheduler.enqueue(job(3, 2000..2020, 5)).unwrap();
        let (plan, _) = step(&mut scheduler, 500);
        // Of 64 tokens the oldest gets a quarter, then the shortest take theirs, then the oldest
        // has what is left.
        assert_eq!(sizes(&plan), [(2, 10), (3, 20), (1, 34)]);
    }

    #[test]
    fn requests_wait_for_a_slot_and_for_room() {
        let mut scheduler = scheduler(2, 100, 0);
        for id in 1..=3 {
            scheduler
                .enqueue(job(id, [1, 2, 3].map(|token| token + 10 * id as TokenId), 3))
                .unwrap();
        }
        assert_eq!(step(&mut scheduler, 0).0.started, [1, 2]);
        assert_eq!(scheduler.line().collect::<Vec<_>>(), [3]);
        scheduler.cancel(1);
        assert_eq!(step(&mut scheduler, 0).0.started, [3]);

        // 60 + 60 cells don't fit into 100: the second waits although there is a slot.
        let mut scheduler = self::scheduler(4, 100, 0);
        scheduler.enqueue(job(1, 0..40, 20)).unwrap();
        scheduler.enqueue(job(2, 100..140, 20)).unwrap();
        assert_eq!(step(&mut scheduler, 0).0.started, [1]);
        assert!(scheduler.enqueue(job(3, 0..90, 20)).is_err(), "it could never fit");
        scheduler.finish(1);
        assert_eq!(step(&mut scheduler, 0).0.started, [2]);
    }

    #[test]
    fn who_gives_way_gets_what_the_others_leave() {
        let mut scheduler = scheduler(4, 1000, 0);
        scheduler.enqueue(yielding(1, 0..100)).unwrap();
        assert_eq!(sizes(&step(&mut scheduler, 500).0), [(1, 64)], "nobody else is there");
        scheduler.enqueue(job(2, 1000..1060, 5)).unwrap();
        // The answer's prompt comes first, although it came later and is longer.
        assert_eq!(sizes(&step(&mut scheduler, 500).0), [(2, 60), (1, 4)]);
        assert_eq!(sizes(&step(&mut scheduler, 500).0), [(1, 32), (2, 1)]);
        assert_eq!(
            (scheduler.running(), scheduler.waiting()),
            (1, 0),
            "it isn't counted as an answer"
        );
    }

    #[test]
    fn who_gives_way_goes_back_into_line_for_an_answer() {
        let mut scheduler = scheduler(2, 300, 0);
        for id in 1..=3 {
            scheduler.enqueue(yielding(id, (0..90).map(|at| at + 1000 * id as TokenId))).unwrap();
        }
        let mut ended = BTreeSet::new();
        assert_eq!(step(&mut scheduler, 500).0.started, [1, 2]);
        scheduler.enqueue(job(4, 5000..5100, 20)).unwrap();
        let (plan, _) = step(&mut scheduler, 500);
        assert_eq!(plan.started, [4], "the slot of 2");
        assert_eq!(scheduler.ids().collect::<Vec<_>>(), [1, 4, 2, 3]);
        // An answer never waits for the prompt of one that gives way, but has what is computed of
        // it.
        scheduler.cancel(4);
        scheduler.enqueue(job(5, 1000..1090, 20)).unwrap();
        let (plan, drew) = step(&mut scheduler, 500);
        assert_eq!(plan.chunks[0].id, 5);
        ended.extend(drew);
        while !scheduler.is_idle() {
            let (_, drew) = step(&mut scheduler, 7);
            ended.extend(drew);
        }
        assert_eq!(ended.into_iter().collect::<Vec<_>>(), [1, 2, 3, 5], "all of them end");
        scheduler.cache().audit().unwrap();
    }

    #[test]
    fn a_visitor_goes_before_a_suggestion_and_that_before_a_judgement() {
        let mut scheduler = scheduler(1, 300, 0);
        let suggestion = |id| Job { priority: Priority::Suggestion, ..job(id, 2000..2010, 3) };
        scheduler.enqueue(yielding(1, 0..10)).unwrap();
        scheduler.enqueue(suggestion(2)).unwrap();
        assert_eq!(step(&mut scheduler, 7).0.started, [2]);
        scheduler.enqueue(job(3, 3000..3010, 1)).unwrap();
        scheduler.enqueue(suggestion(4)).unwrap();
        assert_eq!(scheduler.line().collect::<Vec<_>>(), [3, 4]);
        let mut ended = Vec::new();
        while !scheduler.is_idle() {
            let before: BTreeSet<_> = scheduler.ids().collect();
            step(&mut scheduler, 7);
            let after: BTreeSet<_> = scheduler.ids().collect();
            ended.extend(before.difference(&after).copied());
        }
        // The suggestion that was being written goes on with what it had.
        assert_eq!(ended, [3, 2, 4, 1]);
    }

    #[test]
    fn requests_with_a_common_prefix_compute_it_once() {
        let mut scheduler = scheduler(8, 2000, 0);
        let prompt = |id: TokenId| (0..100).chain([1000 + id, 2000 + id]);
        for id in 0..8 {
            scheduler.enqueue(job(id, prompt(id as TokenId), 1)).unwrap();
        }
        let (mut computed, mut ended) = (0, 0);
        while ended < 8 {
            let (plan, drew) = step(&mut scheduler, 7);
            assert!(!plan.chunks.is_empty(), "somebody always makes progress");
            computed += plan.tokens();
            ended += drew.len();
        }
        assert_eq!(computed, 102 + 7 * 2);
        scheduler.cache().audit().unwrap();
    }

    #[test]
    fn a_follower_goes_on_when_its_leader_leaves() {
        let mut scheduler = scheduler(8, 2000, 0);
        scheduler.enqueue(job(1, 0..200, 5)).unwrap();
        scheduler.enqueue(job(2, (0..200).chain([9]), 5)).unwrap();
        assert_eq!(sizes(&step(&mut scheduler, 7).0), [(1, 64)], "the second waits for the first");
        scheduler.cancel(1);
        let (plan, _) = step(&mut scheduler, 7);
        assert_eq!(plan.chunks.iter().map(|chunk| chunk.id).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn the_next_turn_reuses_the_last_one() {
        let mut scheduler = scheduler(2, 200, 0);
        scheduler.enqueue(job(1, 0..20, 3)).unwrap();
        while !scheduler.is_idle() {
            step(&mut scheduler, 77);
        }
        // The last drawn token was never computed, so 20 + 2 tokens are there.
        scheduler.enqueue(job(2, (0..20).chain([77, 77, 77, 5]), 3)).unwrap();
        let (plan, _) = step(&mut scheduler, 77);
        assert_eq!((scheduler.cached_tokens(2), sizes(&plan)), (22, vec![(2, 2)]));
    }

    #[test]
    fn requeuing_keeps_what_was_generated() {
        let mut scheduler = scheduler(2, 200, 0);
        scheduler.enqueue(job(1, 0..5, 9)).unwrap();
        scheduler.enqueue(job(2, 100..105, 9)).unwrap();
        step(&mut scheduler, 7);
        assert!(scheduler.requeue_last());
        assert!(!scheduler.requeue_last(), "the only running one stays");
        let (plan, _) = step(&mut scheduler, 7);
        assert_eq!(sizes(&plan), [(2, 6), (1, 1)]);
        assert_eq!(plan.chunks[0].tokens, [100, 101, 102, 103, 104, 7]);
    }

    #[test]
    fn who_shares_what_could_not_be_woken_begins_again_too() {
        let mut scheduler = scheduler(4, 1000, 400);
        let talk = |family: TokenId, length: TokenId| (0..length).map(move |at| at + 1000 * family);
        for family in [1, 2] {
            scheduler.enqueue(job(family as RequestId, talk(family, 60), 1)).unwrap();
            step(&mut scheduler, 7);
        }
        // The first one's is put to sleep while another runs.
        scheduler.enqueue(job(3, talk(3, 5), 3)).unwrap();
        step(&mut scheduler, 7);
        assert!(!scheduler.cache().asleep().is_empty());
        scheduler.enqueue(job(4, talk(1, 70), 2)).unwrap();
        scheduler.enqueue(job(5, talk(1, 80), 2)).unwrap();
        let plan = scheduler.plan();
        let woken = plan.ops.iter().position(|op| matches!(op, Op::Wake { .. })).unwrap();
        let shared = plan.ops.iter().skip(woken).any(|op| matches!(op, Op::Share { .. }));
        assert!(shared && sizes(&plan).iter().any(|(id, _)| *id == 5), "{plan:?}");
        assert!(scheduler.restart(&plan.ops, woken));
        assert_eq!(scheduler.line().collect::<BTreeSet<_>>(), [4, 5].into());
        scheduler.cache().audit().unwrap();
        // The other one goes on.
        assert!(!scheduler.restart(&[Op::Clear { seq: 0 }], 0));
        let mut ended = BTreeSet::new();
        while !scheduler.is_idle() {
            ended.extend(step(&mut scheduler, 7).1);
        }
        assert_eq!(ended, [3, 4, 5].into());
    }

    #[derive(Clone, Debug)]
    enum Event {
        Arrive {
            family: TokenId,
            prompt: usize,
            max_new: usize,
            priority: Priority,
        },
        Step {
            eog: bool,
        },
        Cancel {
            which: usize,
        },
        Requeue,
        /// The next snapshot that is to be put back can't be.
        Lose,
        Forget {
            owner: u64,
        },
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            2 => (0i32..3, 1usize..120, 1usize..12, proptest::sample::select(&Priority::ALL[..]))
                .prop_map(|(family, prompt, max_new, priority)| Event::Arrive { family, prompt, max_new, priority }),
            5 => (0usize..5).prop_map(|eog| Event::Step { eog: eog == 0 }),
            1 => (0usize..20).prop_map(|which| Event::Cancel { which }),
            1 => Just(Event::Requeue),
            1 => Just(Event::Lose),
            1 => (0u64..3).prop_map(|owner| Event::Forget { owner }),
        ]
    }

    /// What the KV cache of llama.cpp would hold, to check a plan against.
    #[derive(Default)]
    struct Model {
        seqs: BTreeMap<SeqId, Vec<TokenId>>,
        /// Where a snapshot begins, and its tokens.
        snapshots: BTreeMap<SnapshotId, (usize, Vec<TokenId>)>,
    }

    impl Model {
        fn run(&mut self, plan: &Plan) -> Result<(), String> {
            self.ops(&plan.ops)?;
            for chunk in &plan.chunks {
                let seq = self.seqs.entry(chunk.seq).or_default();
                if seq.len() != chunk.start {
                    return Err(format!(
                        "sequence {} has {} tokens, not {}",
                        chunk.seq,
                        seq.len(),
                        chunk.start
                    ));
                }
                seq.extend(&chunk.tokens);
            }
            Ok(())
        }

        /// Carries all but one operation out. Those that need what that one would have made do as
        /// much as they can.
        fn without(&mut self, ops: &[Op], lost: usize) {
            for (_, op) in ops.iter().enumerate().filter(|(at, _)| *at != lost) {
                if self.ops(&[*op]).is_err()
                    && let Op::Share { from, to, tokens } = *op
                    && let Some(source) = self.seqs.get(&from)
                {
                    let prefix = source.iter().take(tokens).copied().collect();
                    self.seqs.insert(to, prefix);
                }
            }
        }

        fn ops(&mut self, ops: &[Op]) -> Result<(), String> {
            for op in ops {
                match *op {
                    Op::Clear { seq } => drop(self.seqs.remove(&seq)),
                    Op::Sleep { seq, from, id } => {
                        let source = self
                            .seqs
                            .get(&seq)
                            .and_then(|tokens| tokens.get(from..))
                            .ok_or("nothing to sleep")?;
                        self.snapshots.insert(id, (from, source.to_vec()));
                    }
                    Op::Wake { id, seq, from, to } => {
                        let (begin, tokens) =
                            self.snapshots.get(&id).ok_or("woke what isn't there")?;
                        let woken = tokens
                            .get(from - begin..to - begin)
                            .ok_or("woke more than there is")?;
                        let into = self.seqs.entry(seq).or_default();
                        if into.len() != from {
                            return Err("woke into the wrong place".into());
                        }
                        into.extend(woken);
                    }
                    Op::Drop { id } => drop(self.snapshots.remove(&id)),
                    Op::Share { from, to, tokens } => {
                        if self.seqs.get(&to).is_some_and(|to| !to.is_empty()) {
                            return Err("shared into a sequence that holds something".into());
                        }
                        let source = self.seqs.get(&from).ok_or("shared from nothing")?;
                        let prefix =
                            source.get(..tokens).ok_or("shared more than there is")?.to_vec();
                        self.seqs.insert(to, prefix);
                    }
                }
            }
            Ok(())
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
        #[test]
        fn every_request_ends_and_the_rules_hold(
            events in proptest::collection::vec(event(), 1..120),
            parallel in 1usize..5,
            speed in 1u64..2000,
            asleep in prop_oneof![Just(0usize), 50usize..400],
        ) {
            let capacity = 300;
            let mut scheduler = scheduler(parallel, capacity, asleep);
            let mut model = Model::default();
            let mut answers: BTreeMap<RequestId, (Vec<TokenId>, usize)> = BTreeMap::new();
            let mut arrivals = 0;
            let mut priorities = BTreeMap::new();
            let mut losing = false;
            let drain = std::iter::repeat_n(Event::Step { eog: false }, 20_000);
            for event in events.into_iter().chain(drain) {
                match event {
                    Event::Arrive { family, prompt, max_new, priority } => {
                        arrivals += 1;
                        priorities.insert(arrivals, priority);
                        let prompt: Vec<TokenId> = (0..prompt as TokenId).map(|at| at + if at < 60 { 0 } else { 1000 * family }).collect();
                        if scheduler.enqueue(Job { priority, owner: Some(family as u64), ..job(arrivals, prompt.clone(), max_new) }).is_ok() {
                            answers.insert(arrivals, (prompt, max_new));
                        }
                    }
                    Event::Cancel { which } => {
                        let id = scheduler.ids().nth(which);
                        if let Some(id) = id {
                            scheduler.cancel(id);
                            answers.remove(&id);
                        }
                    }
                    Event::Requeue => { scheduler.requeue_last(); }
                    Event::Lose => losing = true,
                    Event::Forget { owner } => {
                        scheduler.forget(owner);
                        prop_assert_eq!(scheduler.cache().kept_of(Some(owner)), 0);
                        let ops = scheduler.take_ops();
                        if let Err(wrong) = model.ops(&ops) {
                            prop_assert!(false, "{}", wrong);
                        }
                        prop_assert_eq!(model.snapshots.len(), scheduler.cache().asleep().len());
                    }
                    Event::Step { eog } => {
                        if scheduler.is_idle() {
                            if answers.is_empty() { continue }
                            prop_assert!(false, "idle although {} requests have not ended", answers.len());
                        }
                        let plan = scheduler.plan();
                        let present: Vec<_> = scheduler.ids().map(|id| (priorities[&id], id)).collect();
                        let highest = present.iter().map(|(priority, _)| *priority).min();
                        let oldest = present.iter().find(|(priority, _)| Some(*priority) == highest).map(|(_, id)| *id);
                        prop_assert!(
                            plan.chunks.iter().any(|chunk| Some(chunk.id) == oldest),
                            "of the highest priority the request that runs longest makes progress in every step"
                        );
                        let waits = scheduler.lines.iter().flatten().map(|job| job.priority).min();
                        prop_assert!(
                            plan.started.iter().all(|id| waits.is_none_or(|waits| priorities[id] <= waits)),
                            "nobody is admitted while a higher priority waits"
                        );
                        prop_assert!(plan.tokens() <= 64, "{} tokens", plan.tokens());
                        prop_assert!(scheduler.running() <= parallel);
                        let requests: BTreeSet<_> = plan.chunks.iter().map(|chunk| chunk.id).collect();
                        let seqs: BTreeSet<_> = plan.chunks.iter().map(|chunk| chunk.seq).collect();
                        prop_assert_eq!((requests.len(), seqs.len()), (plan.chunks.len(), plan.chunks.len()));
                        prop_assert!(seqs.iter().all(|&seq| seq < parallel * 2));
                        let wakes = |op: &Op| matches!(op, Op::Wake { .. });
                        if let Some(lost) = plan.ops.iter().position(wakes).filter(|_| losing) {
                            losing = false;
                            model.without(&plan.ops, lost);
                            prop_assert!(scheduler.restart(&plan.ops, lost));
                            if let Err(wrong) = scheduler.cache().audit() {
                                prop_assert!(false, "{}", wrong);
                            }
                            continue;
                        }
                        if let Err(wrong) = model.run(&plan) {
                            prop_assert!(false, "{}", wrong);
                        }
                        scheduler.done(&plan, Duration::from_micros(speed * plan.tokens() as u64));
                        if let Err(wrong) = scheduler.cache().audit() {
                            prop_assert!(false, "{}", wrong);
                        }
                        for chunk in plan.chunks.iter().filter(|chunk| chunk.sample) {
                            let (tokens, left) = answers.get_mut(&chunk.id).expect("only live requests are planned");
                            prop_assert_eq!(&model.seqs[&chunk.seq], &*tokens, "the cache holds exactly this request's tokens");
                            tokens.push(7);
                            *left -= 1;
                            let more = scheduler.push(chunk.id, 7);
                            prop_assert_eq!(more, *left > 0);
                            if eog || !more {
                                scheduler.finish(chunk.id);
                                answers.remove(&chunk.id);
                            }
                        }
                    }
                }
            }
            prop_assert!(scheduler.is_idle() && answers.is_empty(), "every request ended");
        }
    }
}
