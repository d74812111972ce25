//! The list of the cases. One that is not on it is dead code, which the compiler tells.

/// Makes tests of the cases that a server of [`servers`](crate::servers) has to pass.
///
/// `fault_suite!(RedisServer: keeps, forgets, ends)` says what more it is: one that has its locks again after it was
/// killed ([`Keeps`](crate::scene::Keeps)), one that has not ([`Forgets`](crate::scene::Forgets)), either, as it is set up;
/// one that [`Ends`](crate::scene::Ends) sessions, a [`Database`](crate::scene::Database).
#[macro_export]
macro_rules! fault_suite {
    ($server:ident: $($is:ident),+) => {
        $crate::fault_suite! { @all tests $server }
        $( $crate::fault_suite! { @$is tests $server } )+
    };

    (@all $make:ident $server:ident) => {
        $crate::fault_suite! { @$make $server Stage black_hole
            a_black_hole_longer_than_the_ttl_is_a_loss_and_leaves_nothing
            an_acquire_in_a_black_hole_is_an_error_in_time_and_leaves_nothing
            what_arrives_after_its_sender_gave_up_leaves_nothing
            renewals_and_releases_that_arrive_too_late_change_nothing
            a_waiter_in_a_black_hole_does_not_keep_the_others_waiting
        }
        $crate::fault_suite! { @$make $server Stage lost_replies
            a_lost_reply_to_an_acquire_leaves_nothing_and_locks_nobody_out
            an_acquire_that_gave_up_without_its_reply_is_given_back
            a_lost_reply_to_a_release_is_a_release
            a_lost_reply_to_a_renewal_is_no_loss_where_there_is_time_to_ask_again
            replies_that_never_come_are_a_loss_told_by_the_deadline
        }
        $crate::fault_suite! { @$make $server Stage resets
            an_acquire_that_is_reset_after_any_byte_of_its_answer_is_had_or_leaves_nothing
            a_release_that_is_reset_after_any_byte_of_its_answer_is_a_release
            a_renewal_that_is_reset_after_any_byte_of_its_answer_is_asked_again
            a_waiter_that_is_reset_in_the_middle_of_being_told_has_the_lock_soon
            a_waiter_whose_connections_are_reset_while_it_waits_stands_in_line_again
        }
        $crate::fault_suite! { @$make $server Stage server
            a_server_that_stands_still_for_less_than_the_ttl_takes_nothing_away
            a_server_that_stands_still_for_longer_than_the_ttl_is_a_loss
            a_guard_whose_server_is_away_for_longer_than_its_ttl_is_told_by_its_deadline
        }
        $crate::fault_suite! { @$make $server Stage storm
            whatever_goes_wrong_nobody_holds_it_twice_and_everybody_goes_on
        }
    };
    (@keeps $make:ident $server:ident) => {
        $crate::fault_suite! { @$make $server Keeps restarts
            a_guard_goes_on_through_a_restart_that_is_shorter_than_its_ttl
            what_was_granted_just_before_a_crash_is_still_held_after_it
        }
    };
    (@forgets $make:ident $server:ident) => {
        $crate::fault_suite! { @$make $server Forgets forgetting
            a_server_that_forgot_everything_is_a_loss_that_is_told_and_tokens_grow
        }
    };

    (@ends $make:ident $server:ident) => {
        $crate::fault_suite! { @$make $server Ends sessions
            sessions_that_are_ended_while_it_is_held_take_nothing_away
            sessions_that_are_ended_all_the_time_while_it_is_waited_for_stall_nobody
        }
    };
    (@database $make:ident $server:ident) => {
        $crate::fault_suite! { @$make $server Database database
            a_server_that_is_read_only_for_a_while_takes_nothing_away
            a_server_that_is_read_only_for_longer_than_the_ttl_is_a_loss
            a_server_without_room_for_connections_is_an_error_that_says_so_and_no_loss
            a_row_that_a_transaction_keeps_is_held_and_neither_an_error_nor_a_hang
            a_transaction_that_keeps_the_row_of_a_holder_is_no_loss_if_it_ends_in_time
            who_asks_twice_has_it_and_does_not_wait_for_himself
        }
    };

    (@tests $server:ident $bound:ident $module:ident $($case:ident)+) => {
        mod $module {
            $(
                #[test]
                fn $case() {
                    $crate::faults::cases::$module::$case::<$crate::servers::$server>();
                }
            )+
        }
    };
    // For the tests, which are made elsewhere.
    (@functions $server:ident $bound:ident $module:ident $($case:ident)+) => {
        pub mod $module {
            use $crate::{faults::$module, scene::$bound};

            $(
                pub fn $case<S: $bound>() {
                    $module::$case::<S>();
                }
            )+
        }
    };
}

/// The cases, for [`fault_suite!`](crate::fault_suite).
#[allow(missing_docs, reason = "their names are the sentences that they check")]
pub mod cases {
    fault_suite! { @all functions S }
    fault_suite! { @keeps functions S }
    fault_suite! { @forgets functions S }
    fault_suite! { @ends functions S }
    fault_suite! { @database functions S }
}
