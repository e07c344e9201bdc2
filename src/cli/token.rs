//! `squall token`.

use serde_json::json;

use super::project::short;
use super::{Context, Ended, Exit, Failure};
use crate::access::token::{TokenRow, issue};
use crate::access::{Act, PersonName, Role};
use crate::env::Env as _;
use crate::outside::one_line;
use crate::store::Store as _;
use crate::units::{Span, Time};

/// Make, list, rotate and revoke tokens for the HTTP API of `squall serve`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A token is shown once, when it is made; only its SHA-256 is kept. Roles: viewer looks, operator runs, stops and halts, approver \
approves plans and may halt, admin may do everything. What is done with tokens, and over HTTP, is noted: `squall token audit`.

Examples:
  squall token create ci --role operator --expires 30d
  squall token list
  squall token rotate ci
  squall token revoke ci")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Create(Create),
    List(List),
    Rotate(Rotate),
    Revoke(Revoke),
    Audit(Audit),
}

/// Make a token, and show it this once
#[derive(Debug, clap::Args)]
struct Create {
    /// Whose it is: it stands in journals and in the audit
    name: PersonName,
    /// viewer, operator, approver or admin
    #[arg(long)]
    role: Role,
    /// It opens nothing after this time, such as `90d`
    #[arg(long, value_name = "TIME", default_value = "90d")]
    expires: Span,
}

/// List the tokens
#[derive(Debug, clap::Args)]
struct List {}

/// Replace a token by a new one of the same name and role; the old one opens nothing from now on
#[derive(Debug, clap::Args)]
struct Rotate {
    /// The token
    name: PersonName,
    /// The new one opens nothing after this time
    #[arg(long, value_name = "TIME", default_value = "90d")]
    expires: Span,
}

/// Revoke a token: it opens nothing from now on
#[derive(Debug, clap::Args)]
struct Revoke {
    /// The token
    name: PersonName,
}

/// Show who did what: with tokens, and over HTTP
#[derive(Debug, clap::Args)]
struct Audit {
    /// Since this time [default: 30 days ago]
    #[arg(long, value_name = "TIME")]
    since: Option<Time>,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    match &args.command {
        Command::Create(args) => create(args, context),
        Command::List(_) => list(context),
        Command::Rotate(args) => rotate(args, context),
        Command::Revoke(args) => revoke(args, context),
        Command::Audit(args) => audit(args, context),
    }
}

fn create(args: &Create, context: &mut Context) -> Ended {
    if find(&args.name, context)?.is_some_and(|row| row.is_valid(context.env.now())) {
        let next = format!("squall token rotate {0}, or squall token revoke {0} first", args.name);
        return Err(Failure::refused(format!("there is a token {} already", args.name), next));
    }
    make(&args.name, args.role, args.expires, "token create", context)
}

fn rotate(args: &Rotate, context: &mut Context) -> Ended {
    let row = existing(&args.name, context)?;
    make(&args.name, row.role, args.expires, "token rotate", context)
}

/// Makes a token in place of the one of its name, and shows it.
fn make(name: &PersonName, role: Role, expires: Span, what: &str, context: &mut Context) -> Ended {
    let (text, hash) = issue(&context.env);
    let (made, made_by) = (context.env.now(), context.who());
    let expires = made + expires;
    let row = TokenRow { name: name.clone(), role, hash, made, made_by, expires: Some(expires), revoked: None };
    let mut store = context.project.store()?;
    store.note(&act(what, format!("{name}, {role}, until {}", short(expires)), context))?;
    store.put_token(&row)?;
    let out = &mut context.output.out;
    match context.json {
        true => {
            out.json(&json!({ "name": name.as_str(), "role": role.word(), "expires": short(expires), "token": text }))
        }
        false => out.line(text),
    }
    context.output.err.line(format!("{name} is {role} until {}; this token is not shown again", short(expires)));
    Ok(Exit::Fine)
}

fn revoke(args: &Revoke, context: &mut Context) -> Ended {
    let row = existing(&args.name, context)?;
    let mut store = context.project.store()?;
    // Revoking comes first: a note that cannot be written must not keep it off.
    store.put_token(&TokenRow { revoked: Some(row.revoked.unwrap_or(context.env.now())), ..row })?;
    store.note(&act("token revoke", args.name.to_string(), context))?;
    context.output.err.line(format!("{} is revoked", args.name));
    Ok(Exit::Fine)
}

fn list(context: &mut Context) -> Ended {
    let rows = rows(context)?;
    let now = context.env.now();
    let out = &mut context.output.out;
    for row in &rows {
        let state = match (row.revoked, row.expires) {
            (Some(at), _) => format!("revoked at {}", short(at)),
            (None, Some(at)) if at <= now => format!("expired at {}", short(at)),
            (None, Some(at)) => format!("until {}", short(at)),
            (None, None) => "without an end".to_owned(),
        };
        match context.json {
            true => out.json(&json!({
                "name": row.name.as_str(),
                "role": row.role.word(),
                "made": short(row.made),
                "made_by": row.made_by,
                "expires": row.expires.map(short),
                "revoked": row.revoked.map(short),
            })),
            false => out.line(format!("{}  {}  {state}  made by {}", row.name, row.role, one_line(&row.made_by))),
        }
    }
    if rows.is_empty() {
        context.output.err.line("no token: squall token create NAME --role ROLE");
    }
    Ok(Exit::Fine)
}

fn audit(args: &Audit, context: &mut Context) -> Ended {
    const MONTH: Span = Span::from_mins(30 * 1_440);
    let since = args.since.unwrap_or_else(|| context.env.now() - MONTH);
    let store = context.project.store_to_read()?;
    let acts = store.map(|store| store.acts(since)).transpose()?.unwrap_or_default();
    let out = &mut context.output.out;
    for Act { at, by, what, detail } in &acts {
        match context.json {
            true => out.json(&json!({ "at": short(*at), "by": by, "what": what, "detail": detail })),
            false => out.line(format!("{}  {}  {what}  {}", short(*at), one_line(by), one_line(detail))),
        }
    }
    if acts.is_empty() {
        context.output.err.line(format!("nothing was noted since {}", short(since)));
    }
    Ok(Exit::Fine)
}

fn act(what: &str, detail: String, context: &Context) -> Act {
    Act { at: context.env.now(), by: context.who(), what: what.to_owned(), detail }
}

fn rows(context: &Context) -> Result<Vec<TokenRow>, Failure> {
    let store = context.project.store_to_read()?;
    Ok(store.map(|store| store.tokens()).transpose()?.unwrap_or_default())
}

fn find(name: &PersonName, context: &Context) -> Result<Option<TokenRow>, Failure> {
    Ok(rows(context)?.into_iter().find(|row| row.name == *name))
}

fn existing(name: &PersonName, context: &Context) -> Result<TokenRow, Failure> {
    let missing = || Failure::usage(format!("there is no token {name}"), "squall token list");
    find(name, context)?.ok_or_else(missing)
}
