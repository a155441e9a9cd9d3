//! The table: every fault at every step of every kind of session.

use std::fmt;

/// How the data connection is agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Pasv,
    Epsv,
    Port,
    Eprt,
}

/// What is transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Retr,
    Stor,
    List,
}

/// What has happened last when the fault comes, in the order of a passive session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The server has accepted, and said nothing.
    Ungreeted,
    Greeted,
    /// Between USER and PASS.
    Named,
    LoggedIn,
    /// PASV, EPSV, PORT or EPRT was sent and not answered.
    Asked,
    Agreed,
    /// The data connection is there, from end to end.
    Connected,
    /// RETR, STOR or LIST was sent and not answered.
    Commanded,
    /// 150 was heard.
    Begun,
    /// Half of the data has arrived.
    Midway,
    /// All of it has, with its end; there is no 226.
    Delivered,
    /// 226 was heard.
    Done,
    /// QUIT was sent and not answered.
    Quitting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    ClientResets,
    /// The client says that it will say no more, and still listens.
    ClientFinishes,
    ServerResets,
    ServerCloses,
    BothClose,
    /// SIGTERM.
    Terminated,
    /// SIGKILL: the proxy itself can do nothing any more.
    Killed,
    /// One end of the data connection goes away with a reset; the server notices, or believes all well.
    ClientDataResets {
        noticed: bool,
    },
    ServerDataResets {
        noticed: bool,
    },
    ClientDataFinishes,
    ServerDataFinishes,
    /// Whoever receives the data ends its own half of the connection, which is no fault; then the session is stopped.
    ReceiverFinishesThenTerminated,
    ReceiverFinishesThenClientResets,
}

#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub way: Way,
    pub deed: Deed,
    pub step: Step,
    pub fault: Fault,
}

const WAYS: [Way; 4] = [Way::Pasv, Way::Epsv, Way::Port, Way::Eprt];
const DEEDS: [Deed; 3] = [Deed::Retr, Deed::Stor, Deed::List];

const CONTROL_FAULTS: [Fault; 7] = [
    Fault::ClientResets,
    Fault::ClientFinishes,
    Fault::ServerResets,
    Fault::ServerCloses,
    Fault::BothClose,
    Fault::Terminated,
    Fault::Killed,
];

const DATA_FAULTS: [Fault; 8] = [
    Fault::ClientDataResets { noticed: true },
    Fault::ClientDataResets { noticed: false },
    Fault::ServerDataResets { noticed: true },
    Fault::ServerDataResets { noticed: false },
    Fault::ClientDataFinishes,
    Fault::ServerDataFinishes,
    Fault::ReceiverFinishesThenTerminated,
    Fault::ReceiverFinishesThenClientResets,
];

impl Way {
    pub fn is_passive(self) -> bool {
        matches!(self, Way::Pasv | Way::Epsv)
    }

    /// The steps in the order in which they come: a server dials once it knows what for.
    pub fn steps(self) -> [Step; 13] {
        use Step::*;
        let (first, second) = if self.is_passive() {
            (Connected, Commanded)
        } else {
            (Commanded, Connected)
        };
        [
            Ungreeted, Greeted, Named, LoggedIn, Asked, Agreed, first, second, Begun, Midway,
            Delivered, Done, Quitting,
        ]
    }
}

impl Deed {
    pub fn is_upload(self) -> bool {
        self == Deed::Stor
    }

    pub fn command(self) -> &'static str {
        match self {
            Deed::Retr => "RETR a",
            Deed::Stor => "STOR a",
            Deed::List => "LIST",
        }
    }
}

impl Case {
    /// Whether `step` has been made when the fault comes.
    pub fn is_past(&self, step: Step) -> bool {
        let steps = self.way.steps();
        let place = |step| steps.iter().position(|&s| s == step);
        place(step) <= place(self.step)
    }

    /// The data connection is open on both sides, and something is still to be delivered.
    pub fn has_data(&self) -> bool {
        self.is_past(Step::Connected) && !self.is_past(Step::Delivered)
    }

    /// A transfer was asked for, and its last reply is outstanding.
    pub fn is_transferring(&self) -> bool {
        self.is_past(Step::Commanded) && !self.is_past(Step::Done)
    }

    /// What the steps before have in common is tried once.
    fn is_distinct(&self) -> bool {
        let first_deed = self.deed == DEEDS[0];
        if self.step <= Step::LoggedIn {
            return first_deed && self.way == WAYS[0];
        }
        self.step > Step::Agreed || first_deed
    }

    /// A fault of the data connection needs one; once all is delivered nobody sends another end.
    fn makes_sense(&self) -> bool {
        let control = CONTROL_FAULTS.contains(&self.fault);
        let reset = matches!(
            self.fault,
            Fault::ClientDataResets { .. } | Fault::ServerDataResets { .. }
        );
        control || self.has_data() || reset && self.step == Step::Delivered
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case {
            way,
            deed,
            step,
            fault,
        } = self;
        write!(f, "{way:?}::{deed:?}::{step:?}::{fault:?}")
    }
}

/// Every case that makes sense.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for way in WAYS {
        for deed in DEEDS {
            for step in way.steps() {
                for fault in CONTROL_FAULTS.into_iter().chain(DATA_FAULTS) {
                    cases.push(Case {
                        way,
                        deed,
                        step,
                        fault,
                    });
                }
            }
        }
    }
    cases.retain(|case| case.is_distinct() && case.makes_sense());
    cases
}
