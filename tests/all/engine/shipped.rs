//! The shipped experiments, planned on the shop.

use std::path::Path;

use squall::account::sandbox::{World, app::App, shop};
use squall::guard::Rules;
use squall::ids::RunId;
use squall::plan::Plan;
use squall::planner::{Request, plan};
use squall::spec::check::Known;
use squall::spec::load::{ExperimentFiles, ProjectFiles};

use super::family::start;

/// The shop, with nobody in it.
pub fn empty_shop() -> App {
    App { traffic: Vec::new(), ..shop() }
}

/// The shop with its five orders a second.
pub fn busy_shop() -> App {
    shop()
}

/// Every shipped experiment as a plan on the shop.
pub fn plans(seed: u64) -> Vec<Plan> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (project, findings) = ProjectFiles::open(root);
    let project = project.unwrap_or_else(|| panic!("{findings:?}"));
    let mut plans = Vec::new();
    for path in project.experiments() {
        let (files, findings) = ExperimentFiles::open(&path, &project, None, &Known::default());
        let files = files.unwrap_or_else(|| panic!("{}: {findings:?}", path.display()));
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let request = Request {
            files: &files,
            run: RunId(format!("run-{name}")),
            seed,
            by: "tester@here",
            rules: &Rules::in_model(&project.project),
        };
        let mut world = World::new(&shop(), seed, start()).expect("a world");
        match plan(&request, &mut world) {
            Ok(planned) => plans.push(planned.plan),
            Err(objections) => panic!("{name}: {objections:?}"),
        }
    }
    assert!(plans.len() >= 6, "{} experiments are shipped", plans.len());
    plans
}
