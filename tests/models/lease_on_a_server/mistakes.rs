//! Mistakes to build into the protocol, each of which the promises must catch.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// Fencing tokens count from 1, and from 1 again when the server has forgotten.
    PlainCounter,
    /// A release frees the lock, whoever has it by now.
    ReleaseOfAnybodys,
    /// A holder counts its lease from the moment at which it was told of it.
    DeadlineFromAnswer,
    /// A renewal sets the lock, also where it is somebody else's by now.
    RenewalSets,
    /// The token after a grant is the next number, though a block of them was reserved.
    BlockIgnored,
    /// A lock is passed on without a limit, and a waiter that gives up only leaves the line.
    GrantLeftBehind,
    /// Asked again by the same owner, the server answers the number of tokens that is asked for now.
    OtherCount,
    /// Asked again by the same owner, the server lets the lock last its ttl from now on, though it was extended.
    Shortened,
    /// The last attempt, which does not stand in line, does not take its owner out of the line either.
    LeftInLine,
    /// A lease that was given away is released later, as one whose request was sent twice is when it has ended.
    GivenAwayReleased,
    /// Who waits relies on being told.
    NoTimer,
}
