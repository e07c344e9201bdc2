//! What the HTTP API asks of a process that serves.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::Order;
use crate::cli::console::Counter;
use crate::cli::output::{Output, Pipe};
use crate::cli::prepare::{Allowed, Looked, PlanArgs, look_and_plan};
use crate::cli::project::Project;
use crate::cli::{Context, Failure, accounts::Pace};
use crate::console;
use crate::document::prices::{Cost, Prices};
use crate::document::{Document, written};
use crate::env::{Env, RealEnv};
use crate::ids::{RunId, ScheduleName};
use crate::inputs::{Given, over};
use crate::outside::one_line;
use crate::plan::Plan;
use crate::project::serve::{Listen, ServeSpec};
use crate::schedule::Schedule;
use crate::serve::gates::{approvals, open_seed};
use crate::serve::http::metrics::Counted;
use crate::serve::http::{Backend, Doors, Limits, Refusal, RunNow, listen, routes};
use crate::spec::load::{ProjectFiles, input_problems};
use crate::store::StoreError;
use crate::store::invitations::ProjectStore;
use crate::store::occurrences::OccurrenceRow;
use crate::units::Span;

/// What the loop of the server tells the API.
pub struct Http(Arc<Process>);

/// The process, as the API sees it.
struct Process {
    project: Project,
    allowed: Allowed,
    schedules: RwLock<Arc<Vec<Schedule>>>,
    orders: Mutex<Sender<Order>>,
    /// When the loop last turned, by monotonic time.
    turned: Mutex<Span>,
    stops: AtomicBool,
    /// One plan at a time: each reads a whole account.
    planning: Mutex<()>,
    counted: Counted,
}

/// A loop that has not turned for so long is stuck, or the store is away.
const STUCK: Span = Span::from_secs(30);
/// An order that is not taken for so long is given up. The loop looks every 50 ms.
const PATIENCE: Duration = Duration::from_secs(10);

impl Http {
    /// Listens, if that is asked for.
    pub fn begin(
        at: Option<Listen>,
        spec: &ServeSpec,
        schedules: Arc<Vec<Schedule>>,
        allowed: &Allowed,
        orders: Sender<Order>,
        context: &mut Context,
    ) -> Result<Http, Failure> {
        let process = Arc::new(Process {
            project: context.project.clone(),
            allowed: allowed.clone(),
            schedules: RwLock::new(schedules),
            orders: Mutex::new(orders),
            turned: Mutex::new(context.env.monotonic()),
            stops: AtomicBool::new(false),
            planning: Mutex::new(()),
            counted: Counted::default(),
        });
        let Some(Listen(address)) = at else { return Ok(Http(process)) };
        let backend: Arc<dyn Backend> = Arc::clone(&process) as Arc<dyn Backend>;
        let limits = Limits::default().within_open_files();
        let mut routes = routes::all();
        routes.extend(console::routes(Arc::new(Counter(context.project.clone()))));
        let listening = listen(address, backend, Arc::new(context.env), doors(spec), limits, routes);
        let listening = listening.map_err(|error| {
            Failure::refused(format!("{address} cannot be listened on: {error}"), "choose another with --http")
        })?;
        let err = &mut context.output.err;
        err.line(format!("listening on http://{}", listening.address));
        if !listening.address.ip().is_loopback() {
            err.line("warning: tokens go over the network as they are; put a proxy with TLS before it");
        }
        Ok(Http(process))
    }

    /// The loop has turned.
    pub fn turned(&self) {
        *self.0.turned.lock().unwrap_or_else(PoisonError::into_inner) = RealEnv.monotonic();
    }

    /// Others are served from now on.
    pub fn set_schedules(&self, schedules: Arc<Vec<Schedule>>) {
        *self.0.schedules.write().unwrap_or_else(PoisonError::into_inner) = schedules;
    }

    /// An occurrence was decided.
    pub fn decided(&self, row: &OccurrenceRow) {
        self.0.counted.decided(&row.fate, row.decided.since(row.key.at));
    }

    /// A run was rolled back, in so long.
    pub fn rolled_back(&self, took: Span) {
        self.0.counted.rolled_back(took);
    }

    /// Nothing starts any more.
    pub fn stops(&self) {
        self.0.stops.store(true, Ordering::SeqCst);
    }
}

/// Who may come in, as squall.yaml says.
pub fn doors(spec: &ServeSpec) -> Doors {
    Doors {
        hosts: spec.hosts.iter().map(|host| host.0.clone()).collect(),
        proxies: spec.proxies.iter().map(|proxy| proxy.0).collect(),
        user_header: spec.user_header.0.clone(),
        users: spec.users.iter().map(|(name, role)| (name.clone(), *role)).collect(),
        requests_a_minute: spec.requests_a_minute,
    }
}

impl Process {
    /// The file of a schedule's experiment, and the values of its inputs: the schedule's, and these in place of them.
    fn experiment(&self, schedule: &ScheduleName, with: &[Given]) -> Result<(PathBuf, Vec<Given>), Refusal> {
        let schedules = self.schedules();
        let known = schedules.iter().find(|known| known.name == *schedule);
        let known = known.ok_or_else(|| Refusal::new(404, format!("there is no schedule {schedule}")))?;
        let (files, _) = ProjectFiles::open(&self.project.root);
        let file = files.map(|files| files.experiment(&known.experiment)).unwrap_or_default();
        Ok((file, over(&known.with, with)))
    }

    /// The seed of the approvals of a schedule that still count.
    fn open_seed(&self, schedule: &ScheduleName) -> Result<Option<u64>, Refusal> {
        let schedules = self.schedules();
        let rule = schedules.iter().find(|known| known.name == *schedule).and_then(|known| known.approval().cloned());
        let Some(rule) = rule else { return Ok(None) };
        let rows = approvals(&self.project.store()?, schedule)?;
        Ok(open_seed(&rows, &rule, RealEnv.now()))
    }

    /// Refuses values that the experiment's inputs do not take.
    fn check_inputs(&self, schedule: &ScheduleName, with: &[Given]) -> Result<(), Refusal> {
        let (file, with) = self.experiment(schedule, with)?;
        match input_problems(&file, &with).into_iter().next() {
            None => Ok(()),
            Some(problem) => Err(Refusal::new(422, one_line(&problem.what)).next(one_line(&problem.help))),
        }
    }
}

impl Backend for Process {
    fn store(&self) -> Result<Box<dyn ProjectStore + Send>, StoreError> {
        Ok(Box::new(self.project.store()?))
    }

    fn schedules(&self) -> Arc<Vec<Schedule>> {
        Arc::clone(&self.schedules.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn run_now(&self, asked: &RunNow) -> Result<RunId, Refusal> {
        let stopping = || Refusal::new(503, "squall serve is stopping");
        if self.stops.load(Ordering::SeqCst) {
            return Err(stopping());
        }
        let (reply, decided) = sync_channel(1);
        let RunNow { schedule, by, anyway, with } = asked.clone();
        self.check_inputs(&schedule, &with)?;
        let order = Order { schedule, by, anyway, with, reply };
        let sent = self.orders.lock().unwrap_or_else(PoisonError::into_inner).send(order);
        sent.map_err(|_| stopping())?;
        let late = |_| Refusal::new(503, "it was not decided in time").next("look at GET /api/v1/occurrences");
        decided.recv_timeout(PATIENCE).map_err(late)?.map_err(|why| Refusal::new(409, why))
    }

    fn plan(&self, schedule: &ScheduleName, with: &[Given], seed: Option<u64>) -> Result<Json, Refusal> {
        let _alone = match self.planning.try_lock() {
            Ok(alone) => alone,
            Err(TryLockError::Poisoned(alone)) => alone.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(Refusal::new(429, "another plan is being made").next("try again later"));
            }
        };
        let (file, with) = self.experiment(schedule, with)?;
        self.check_inputs(schedule, &with)?;
        let output = || Pipe::plain(std::io::sink());
        let mut context = Context {
            env: RealEnv,
            output: Output { out: output(), err: output() },
            project: self.project.clone(),
            named_project: None,
            account: None,
            json: true,
            quiet: true,
            strict: false,
        };
        let run = RunId::fresh(RealEnv.now(), RealEnv.entropy());
        let asked = PlanArgs::unattended(run, &self.allowed).afresh(false).with(&with);
        let asked = match seed.or(self.open_seed(schedule)?) {
            Some(seed) => asked.seeded(seed),
            None => asked,
        };
        match look_and_plan(&file, &asked, Pace::Max, &mut context) {
            Ok(Looked::Planned(prepared)) => document(&prepared.plan, prepared.refusals),
            Ok(Looked::Refused(reasons, _)) => Err(Refusal::new(409, reasons.join("; "))),
            Err(failure) => Err(Refusal { status: 409, what: failure.what, next: failure.next }),
        }
    }

    fn not_ready(&self) -> Option<String> {
        if self.stops.load(Ordering::SeqCst) {
            return Some("squall serve is stopping".into());
        }
        let turned = *self.turned.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = RealEnv.monotonic() - turned;
        (silent > STUCK).then(|| format!("nothing was decided for {silent}"))
    }

    fn counted(&self) -> &Counted {
        &self.counted
    }
}

/// The document of `squall plan --json`, without a prediction.
fn document(plan: &Plan, refused: Vec<String>) -> Result<Json, Refusal> {
    let prices =
        Prices::read(&Prices::shipped()).map_err(|_| Refusal::new(500, "the shipped prices cannot be read"))?;
    let cost = Cost::of(plan, None, prices);
    let document = Document {
        plan,
        refused,
        graph: None,
        prediction: None,
        not_predicted: None,
        margin: None,
        cost,
        permitted: Vec::new(),
    };
    Ok(json!(written::Document::of(&document)))
}
