//! The commands, one module for each kind.

mod agent;
mod alone;
mod catalogue;
mod cluster;
mod detach;
mod doctor;
mod down;
mod drills;
mod faults;
mod kubectl;
mod machines;
mod place;
mod progress;
mod pulls;
mod reach;
mod reachable;
mod record;
mod selftest;
mod serve;
mod show;
mod tools;
mod up;
mod virtual_clusters;

use clap::CommandFactory;

use crate::{
    args::{Args, Cluster, Command, Common, Node, Registry},
    client::Client,
    exit::{Exit, Failure, Outcome},
    folder::Folder,
    logging,
    output::Output,
};

/// What most commands need.
struct Ground<'a> {
    common: &'a Common,
    out: &'a Output,
    folder: Folder,
}

impl Ground<'_> {
    /// The lab, as a trainee or as the common options say.
    fn lab(&self) -> Result<Client, Failure> {
        if self.common.as_instructor { self.instructors_lab() } else { Client::of(&self.folder) }
    }

    /// The lab with the instructor's token, for what changes the lab for everybody.
    fn instructors_lab(&self) -> Result<Client, Failure> {
        Ok(Client::of(&self.folder)?.with_token(self.folder.token()?))
    }
}

/// Does what was asked for.
pub(crate) fn run(args: Args, out: &Output) -> Outcome {
    logging::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::infrastructure(format!("cannot start the runtime: {error}")))?;
    let outcome = runtime.block_on(dispatch(args, out));
    // Whatever still runs has no one left to run for.
    runtime.shutdown_background();
    outcome
}

async fn dispatch(args: Args, out: &Output) -> Outcome {
    let Args { common, command } = args;
    let ground = Ground { folder: Folder::new(&common.dir), common: &common, out };
    match command {
        Command::Up(up) if up.detach => detach::up(&ground, &up).await,
        Command::Up(up) => up::up(&ground, &up).await,
        Command::Doctor => doctor::doctor(&ground),
        Command::Scenarios { backend, allow_node_access } => {
            catalogue::scenarios(&ground, backend, allow_node_access)
        }
        Command::Start { scenario } => drills::start(&ground, &scenario).await,
        Command::Status => drills::status(&ground).await,
        Command::Check { drill } => drills::check(&ground, drill.as_deref()).await,
        Command::Wait(wait) => progress::wait(&ground, &wait).await,
        Command::Hint { drill } => drills::hint(&ground, &drill).await,
        Command::Diagnose { drill, cause } => drills::diagnose(&ground, &drill, &cause).await,
        Command::GiveUp { drill } => drills::give_up(&ground, &drill).await,
        Command::Debrief { drill } => drills::debrief(&ground, &drill).await,
        Command::Reset { drill } => drills::reset(&ground, &drill).await,
        Command::Journal => drills::journal(&ground).await,
        Command::Record(wanted) => record::record(&ground, &wanted).await,
        Command::Node(Node::Egress(egress)) => tools::egress(&ground, &egress).await,
        Command::Node(Node::Agent { lab }) => agent::agent(&ground, &lab).await,
        Command::Node(Node::Clean { lab }) => agent::clean(&ground, &lab).await,
        Command::Node(Node::Enter { command }) => Err(agent::enter(&command)),
        Command::Registry(Registry::Serve(args)) => serve::registry(&ground, &args).await,
        Command::Registry(Registry::Image { name, binary }) => {
            tools::registry_image(&ground, &name, binary.as_deref()).await
        }
        Command::Registry(Registry::Log(log)) => pulls::log(&ground, &log).await,
        Command::Registry(Registry::Fault(fault)) => faults::faults(&ground, &fault).await,
        Command::Cluster(Cluster::Serve(args)) => cluster::serve(&ground, &args).await,
        Command::Cluster(Cluster::Create { name, kubeconfig }) => {
            virtual_clusters::create(&ground, &name, kubeconfig.as_deref()).await
        }
        Command::Cluster(Cluster::Delete { name }) => virtual_clusters::delete(&ground, &name).await,
        Command::Cluster(Cluster::Node(machine)) => machines::machines(&ground, &machine).await,
        Command::Cluster(Cluster::List) => virtual_clusters::list(&ground).await,
        Command::Image(image) => tools::image(&ground, &image).await,
        Command::Ecr(ecr) => tools::ecr(&ground, &ecr).await,
        Command::Clock { action } => tools::clock(&ground, action.as_ref()).await,
        Command::Down => down::down(&ground).await,
        Command::Selftest(args) => selftest::selftest(&ground, &args).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "pulldrill", &mut script);
            out.raw(&script);
            Ok(Exit::Yes)
        }
    }
}
