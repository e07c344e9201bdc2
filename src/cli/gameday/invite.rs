//! `squall gameday invite`: links to the pages of a day.

use serde_json::json;

use super::{Which, pick, replayed, store_to_read};
use crate::access::Act;
use crate::access::invitation::{Invitation, Seat};
use crate::access::token::issue;
use crate::cli::project::short;
use crate::cli::{Context, Ended, Exit, Failure};
use crate::env::Env;
use crate::gameday::role::{Actor, Person, Role};
use crate::project::serve::ServeSpec;
use crate::spec::load::ProjectFiles;
use crate::store::invitations::{Invitations as _, ProjectStore};
use crate::store::sqlite::SqliteStore;
use crate::store::{Store as _, StoreError};
use crate::units::Span;

/// Where the console listens when nothing else is said.
pub const PORT: u16 = 7078;

/// Print a link that lets one person take part in a day with a browser
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The link is shown once, works once, and opens the pages of `squall console`. It and the session that it becomes end with --expires. \
A person who is not part of the day yet needs a --role.

Examples:
  squall gameday invite --name Grace
  squall gameday invite --role responder --name Ana --expires 4h
  squall gameday invite --list
  squall gameday invite --revoke --name Ana")]
pub struct Invite {
    #[command(flatten)]
    pub which: Which,
    /// Who is invited
    #[arg(long, value_name = "NAME", required_unless_present = "list")]
    pub name: Option<Person>,
    /// In which role [default: the one that the person has on this day]
    #[arg(long)]
    pub role: Option<Role>,
    /// A program is invited, and no person: it is shown as one, and never counts in people's times
    #[arg(long)]
    pub agent: bool,
    /// Neither the link nor the session opens anything after this time
    #[arg(long, value_name = "TIME", default_value = "12h")]
    pub expires: Span,
    /// What the link begins with [default: the first of `serve: hosts` in squall.yaml, else loopback]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Revoke every link and session of this person on this day, from now on
    #[arg(long, conflicts_with = "list")]
    pub revoke: bool,
    /// List the links of this day, without their secrets
    #[arg(long)]
    pub list: bool,
}

pub fn execute(args: &Invite, context: &mut Context) -> Ended {
    let id = pick(&store_to_read(context)?, &args.which)?;
    let mut store = context.project.store()?;
    let of_day = |row: &Invitation| match &row.seat {
        Seat::Day { day, actor } if *day == id => Some(actor.clone()),
        _ => None,
    };
    let Some(person) = args.name.as_ref().filter(|_| !args.list) else {
        for row in store.invitations()? {
            if let Some(actor) = of_day(&row) {
                show(&row, &actor, context);
            }
        }
        return Ok(Exit::Fine);
    };
    if args.revoke {
        let now = context.env.now();
        let mut revoked = 0;
        for row in store.invitations()? {
            if of_day(&row).is_some_and(|actor| actor.person == *person) && row.revoked.is_none() {
                store.revoke_invitation(&row.link, now)?;
                revoked += 1;
            }
        }
        let act = Act { at: now, by: context.who(), what: "invite revoke".into(), detail: format!("{id}: {person}") };
        store.note(&act)?;
        context.output.err.line(format!("{revoked} of {person} revoked on {id}"));
        return Ok(Exit::Fine);
    }
    let actor = actor(args, person, &store, &id)?;
    let path = link(Seat::Day { day: id.clone(), actor: actor.clone() }, args.expires, context, &mut store)?;
    let url = format!("{}{path}", args.url.clone().unwrap_or_else(|| base(context)).trim_end_matches('/'));
    let until = short(context.env.now() + args.expires);
    match context.json {
        true => context.output.out.json(&json!({
            "day": id.0, "person": person.0, "role": actor.role.word(), "expires": until, "link": url,
        })),
        false => context.output.out.line(url),
    }
    context.output.err.line(format!("for {person}, {}, on {id}, until {until}; it works once", actor.role));
    Ok(Exit::Fine)
}

/// Who is invited: as the day knows them, or someone who comes later.
fn actor(args: &Invite, person: &Person, store: &SqliteStore, id: &crate::ids::DayId) -> Result<Actor, Failure> {
    let known = replayed(store, id)?.1.actor(person);
    match (known, args.role) {
        (Some(known), Some(role)) if known.role != role => {
            let what = format!("{person} is {} on this day", known.role);
            Err(Failure::usage(what, "invite them in that role, or someone else"))
        }
        (Some(known), _) => Ok(known),
        (None, Some(role)) => Ok(Actor { person: person.clone(), role, agent: args.agent }),
        (None, None) => Err(Failure::usage(format!("{person} is not part of this day"), "add --role ROLE")),
    }
}

fn show(row: &Invitation, actor: &Actor, context: &mut Context) {
    let state = match (row.revoked, &row.session) {
        (Some(at), _) => format!("revoked at {}", short(at)),
        (None, _) if row.expires <= context.env.now() => format!("expired at {}", short(row.expires)),
        (None, Some((_, at))) => format!("joined at {}, until {}", short(*at), short(row.expires)),
        (None, None) => format!("not used, until {}", short(row.expires)),
    };
    let out = &mut context.output.out;
    match context.json {
        true => out.json(&json!({
            "person": actor.person.0, "role": actor.role.word(), "made": short(row.made), "made_by": row.made_by,
            "expires": short(row.expires), "joined": row.session.map(|(_, at)| short(at)), "revoked": row.revoked.map(short),
        })),
        false => out.line(format!("{}  {}  {state}", actor.person, actor.role)),
    }
}

/// Makes an invitation, notes it, and gives the path of its link, which is shown this once.
pub fn link(seat: Seat, expires: Span, context: &Context, store: &mut dyn ProjectStore) -> Result<String, StoreError> {
    let (secret, link) = issue(&context.env);
    let (made, made_by) = (context.env.now(), context.who());
    let detail = match &seat {
        Seat::Day { day, actor } => format!("{day}: {}, {}", actor.person, actor.role),
        Seat::Console(person) => format!("console: {}, {}", person.name, person.role),
    };
    store.note(&Act { at: made, by: made_by.clone(), what: "invite".into(), detail })?;
    store.invite(&Invitation { seat, link, made, made_by, expires: made + expires, revoked: None, session: None })?;
    Ok(format!("/join/{secret}"))
}

/// Where browsers find the console, as far as squall.yaml says it.
fn base(context: &Context) -> String {
    let files = ProjectFiles::open(&context.project.root).0;
    let serve: ServeSpec = files.map(|files| files.project.serve).unwrap_or_default();
    match (serve.hosts.first(), serve.listen) {
        (Some(host), _) => format!("https://{}", host.0),
        (None, Some(listen)) => format!("http://{}", listen.0),
        (None, None) => format!("http://127.0.0.1:{PORT}"),
    }
}
