//! The capabilities that cases are chosen by.

use crate::backend::Capabilities;

pub(super) fn nothing(_: &Capabilities) -> Option<&'static str> {
    None
}

pub(super) fn notifies(can: &Capabilities) -> Option<&'static str> {
    (!can.notifies).then_some("notifies")
}

pub(super) fn hand_over(can: &Capabilities) -> Option<&'static str> {
    (!can.hand_over).then_some("hand_over")
}

pub(super) fn lists(can: &Capabilities) -> Option<&'static str> {
    (!can.lists).then_some("lists")
}

pub(super) fn across_processes(can: &Capabilities) -> Option<&'static str> {
    (!can.across_processes).then_some("across_processes")
}

pub(super) fn hand_over_across_processes(can: &Capabilities) -> Option<&'static str> {
    across_processes(can).or_else(|| hand_over(can))
}

pub(super) fn bound_across_processes(can: &Capabilities) -> Option<&'static str> {
    across_processes(can).or((!can.bound_to_process).then_some("bound_to_process"))
}
