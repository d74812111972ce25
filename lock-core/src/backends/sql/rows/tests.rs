//! What a client remembers of those who wait, against a database that says what it is told to.

use std::{collections::VecDeque, convert::Infallible, sync::Arc};

use super::*;
use crate::{backend::Watch, backends::sql::Style, park, sync::Mutex};

/// What the database says to the next statements, and what it was asked to keep and to forget.
#[derive(Debug)]
struct Scripted {
    statements: Statements,
    takes: Mutex<VecDeque<Result<Taken, Fault>>>,
    rows: Mutex<VecDeque<Result<Vec<Row>, Fault>>>,
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl Scripted {
    fn note(&self, what: &'static str) {
        sync::lock(&self.asked).push(what);
    }

    fn name(&self, statement: &Statement) -> &'static str {
        let known = &self.statements;
        [
            (&known.look, "look"),
            (&known.stand_in_line, "stand in line"),
            (&known.leave_line, "leave"),
            (&known.renew, "renew"),
        ]
        .into_iter()
        .find(|(known, _)| known.text == statement.text)
        .map_or("other", |(_, name)| name)
    }
}

impl Database for Scripted {
    fn capabilities(&self) -> Capabilities {
        Capabilities { queues: true, ..Capabilities::default() }
    }

    fn statements(&self) -> &Statements {
        &self.statements
    }

    type Here = Infallible;

    fn here(&self) -> Option<Infallible> {
        None
    }

    async fn take_on(&self, here: Infallible, _: &Values<'_>) -> Result<Taken, Fault> {
        match here {}
    }

    async fn release_on(&self, here: Infallible, _: &Values<'_>) -> Result<bool, Fault> {
        match here {}
    }

    async fn take(&self, _: &Values<'_>) -> Result<Taken, Fault> {
        self.note("take");
        sync::lock(&self.takes).pop_front().unwrap_or(Ok(Taken::Refused))
    }

    async fn rows(&self, statement: &Statement, _: &Values<'_>) -> Result<Vec<Row>, Fault> {
        self.note(self.name(statement));
        sync::lock(&self.rows).pop_front().unwrap_or(Ok(Vec::new()))
    }

    async fn change(&self, statement: &Statement, _: &Values<'_>) -> Result<bool, Fault> {
        self.note(self.name(statement));
        Ok(true)
    }

    fn expect(&self, _: &str, _: &Request) {
        self.note("expect");
    }

    async fn listen(&self, _: &str, _: &Request) -> Result<Option<Box<dyn Watch>>, Fault> {
        Ok(None)
    }

    fn forget(&self, _: &str, _: &Request) {
        self.note("forget");
    }
}

/// A client of such a database, one who waits, and what was asked.
struct Scene {
    client: Rows<Scripted>,
    request: Request,
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl Scene {
    fn new(takes: Vec<Result<Taken, Fault>>, rows: Vec<Result<Vec<Row>, Fault>>) -> Self {
        let table = Table::parse("t", '"').unwrap();
        let statement = |text: &str| Statement::new(text, "", &table, Style::Marked);
        let statements = Statements {
            acquire: statement("acquire"),
            stand_in_line: statement("stand"),
            look: statement("look"),
            renew: statement("renew"),
            release: statement("release"),
            adopt: statement("adopt"),
            held: statement("held"),
            force_release: statement("force"),
            leave_line: statement("leave"),
            prune: statement("prune"),
        };
        let asked = Arc::<Mutex<Vec<&'static str>>>::default();
        let (takes, rows) = (Mutex::new(takes.into()), Mutex::new(rows.into()));
        let client =
            Rows::new(Scripted { statements, takes, rows, asked: Arc::clone(&asked) }, table.clone());
        // Nothing to prune, for which there would have to be a runtime.
        *sync::lock(&client.inner.pruned) = Some(Instant::now());
        let mut request = Request::exclusive("k".into(), "mine".parse().unwrap(), Ttl::MAX);
        request.give_way = true;
        Self { client, request, asked }
    }

    fn attempt(&self) -> Result<Attempt, Fault> {
        park::block_on(self.client.try_acquire(&self.request))
    }

    fn give_up(&self) {
        park::block_on(self.client.give_up(&self.request)).unwrap();
    }

    /// What was asked since the last time.
    fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut *sync::lock(&self.asked))
    }

    fn in_line(&self) -> usize {
        sync::lock(&self.client.inner.in_line).len()
    }
}

/// A row that somebody holds, with the asking owner at a place in line.
fn row(owner: &str, place: i64) -> Vec<Row> {
    let mut row = Row::kept_for(Duration::from_secs(1));
    (row.owner, row.token, row.last_token, row.place, row.line) = (owner.into(), 7, 8, place, place);
    vec![row]
}

fn is_held(attempt: &Result<Attempt, Fault>) -> bool {
    matches!(attempt, Ok(Attempt::Held { .. }))
}

#[test]
fn one_who_waits_stands_in_line_once_and_is_forgotten_when_he_has_it() {
    let scene = Scene::new(
        vec![Ok(Taken::Refused), Ok(Taken::Refused), Ok(Taken::Granted { first: 9, last: 9 })],
        vec![Ok(row("theirs", 1)), Ok(row("theirs", 1))],
    );
    assert!(is_held(&scene.attempt()));
    assert_eq!(scene.asked(), ["expect", "take", "stand in line"]);
    assert!(is_held(&scene.attempt()));
    assert_eq!(scene.asked(), ["expect", "take", "look"]);
    assert_eq!(scene.in_line(), 1);
    assert!(matches!(scene.attempt(), Ok(Attempt::Granted(lease)) if lease.fencing_token == 9));
    assert_eq!(scene.asked(), ["expect", "take", "forget"]);
    assert_eq!(scene.in_line(), 0);
}

#[test]
fn one_who_was_passed_over_stands_in_line_again() {
    let scene =
        Scene::new(Vec::new(), vec![Ok(row("theirs", 1)), Ok(row("theirs", 0)), Ok(row("theirs", 1))]);
    assert!(is_held(&scene.attempt()));
    scene.asked();
    assert!(is_held(&scene.attempt()));
    assert_eq!(scene.asked(), ["expect", "take", "look", "stand in line"]);
    assert_eq!(scene.in_line(), 1);
}

#[test]
fn one_who_gives_up_leaves_the_line_once_also_if_nobody_said_that_he_stood_in_it() {
    for answer in [Ok(row("theirs", 1)), Err(Fault::failed("no answer").maybe_executed())] {
        let scene = Scene::new(Vec::new(), vec![answer]);
        drop(scene.attempt());
        scene.asked();
        scene.give_up();
        assert_eq!(scene.asked(), ["forget", "leave"]);
        scene.give_up();
        assert_eq!(scene.asked(), ["forget"]);
        assert_eq!(scene.in_line(), 0);
    }
}

#[test]
fn one_whose_attempt_failed_has_no_line_to_leave() {
    let scene = Scene::new(vec![Err(Fault::failed("no answer"))], Vec::new());
    assert!(scene.attempt().is_err());
    assert_eq!(scene.in_line(), 0);
    scene.give_up();
    assert_eq!(scene.asked(), ["expect", "take", "forget"]);
}

#[test]
fn an_answer_that_was_lost_is_asked_for_again_and_leaves_nothing() {
    let scene = Scene::new(vec![Ok(Taken::Refused)], vec![Ok(row("mine", 0))]);
    assert!(matches!(scene.attempt(), Ok(Attempt::Granted(lease)) if lease.fencing_token == 7));
    assert_eq!(scene.asked(), ["expect", "take", "stand in line", "renew", "forget"]);
    assert_eq!(scene.in_line(), 0);
}

#[test]
fn what_was_released_between_two_statements_is_asked_for_again_and_not_for_ever() {
    let scene = Scene::new(Vec::new(), Vec::new());
    assert_eq!(scene.attempt().unwrap(), Attempt::Held { holder: None, free_in: Some(Duration::ZERO) });
    let takes = scene.asked().iter().filter(|asked| **asked == "take").count();
    assert_eq!(takes, 3);
    scene.give_up();
    assert_eq!(scene.in_line(), 0);
}

#[test]
fn one_who_does_not_wait_stands_in_no_line() {
    let mut scene = Scene::new(Vec::new(), vec![Ok(row("theirs", 0))]);
    scene.request.give_way = false;
    assert!(is_held(&scene.attempt()));
    assert_eq!(scene.asked(), ["take", "look"]);
    assert_eq!(scene.in_line(), 0);
}
