//! How machines fared: protection, days, CDP and sizes.

use vemsync::report::views::{CDP_STATUS, MACHINE_PROTECTION, SIZE_GROWTH, VM_DAILY_STATUS, VM_PROTECTION};

use super::Expected;

pub const EXPECTED: &[Expected] = &[
    (&VM_PROTECTION, PROTECTION),
    (&MACHINE_PROTECTION, PROTECTION),
    (&VM_DAILY_STATUS, DAYS),
    (&CDP_STATUS, CDP),
    (&SIZE_GROWTH, SIZES),
];

// The RPO is 24 hours: since 30 March, 12:00. That of the weekly job is 170.
const PROTECTION: &str = "
# server uid, server | vm    | by      | job     | last attempt   | result  | last good      | hours | rpo | within | failures since | last failure
# Two jobs back it up; n11 ended last.
srv-a | srv-a | web   | backup  | Nightly | 03-30 00:30    | Warning | 03-30 00:30    | 35   | 24  | no  | 0 | snapshot timeout
# Three ways of protection, each by itself.
srv-a | srv-a | db    | backup  | Nightly | 03-31 11:30    | Success | 03-31 11:30    | 0    | 24  | yes | 0 | -
srv-a | srv-a | db    | replica | DR      | 03-31 02:30    | Failed  | 03-29 02:45    | 57   | 24  | no  | 2 | no host
# The one that runs and says Success is no attempt yet.
srv-a | srv-a | db    | cdp     | Gold    | 03-31 06:59:30 | Success | 03-31 06:59:30 | 5    | 24  | yes | 0 | link down
# No result is not a failure, and not good.
srv-a | srv-a | files | backup  | Files   | 03-30 01:05    | None    | 03-29 01:15    | 58   | 24  | no  | 0 | -
# Never good; failed once, then ended without a result.
srv-a | srv-a | lone  | backup  | -       | 03-27 10:10    | None    | -              | -    | 24  | no  | 1 | agent offline
srv-a | srv-a | pc-1  | backup  | Laptops | 03-28 09:10    | Warning | 03-28 09:10    | 74   | 24  | no  | 0 | -
# A child's task counts for its parent.
srv-a | srv-a | pc-7  | backup  | Laptops | 03-28 09:25    | Success | 03-28 09:25    | 74   | 24  | no  | 0 | -
srv-a | srv-a | mail  | cdp     | Gold    | 03-21 23:59:30 | Success | 03-21 23:59:30 | 228  | 24  | no  | 0 | -
srv-a | srv-a | gone  | cdp     | Gold    | 02-10 22:59:30 | Success | 02-10 22:59:30 | 1165 | 24  | no  | 0 | -
# Another machine than the web of srv-a.
srv-b | srv-b | web   | backup  | Nightly | 03-30 22:20    | Success | 03-30 22:20    | 13   | 24  | yes | 0 | -
srv-b | srv-b | arch  | backup  | Weekly  | 03-25 05:00    | Success | 03-25 05:00    | 151  | 170 | yes | 0 | -
";

const DAYS: &str = "
# day | server uid, server | vm | attempts | best | last
02-20 | srv-a | srv-a | web   | 1 | Success | Success
03-01 | srv-a | srv-a | web   | 1 | Success | Success
03-24 | srv-a | srv-a | web   | 1 | Success | Success
# n4, n5, w1
03-27 | srv-a | srv-a | web   | 3 | Success | Success
# n6, w2, n7
03-28 | srv-a | srv-a | web   | 3 | Success | Failed
# f4, n8, n9, n10, n11
03-29 | srv-a | srv-a | web   | 5 | Success | Warning
02-20 | srv-a | srv-a | db    | 1 | Success | Success
03-24 | srv-a | srv-a | db    | 1 | Success | Success
03-27 | srv-a | srv-a | db    | 1 | Success | Success
# p4/db 15:00, n6 22:10, p4/db 2 23:00 (Failed), w2 23:20
03-28 | srv-a | srv-a | db    | 4 | Success | Success
# r1 02:00, p4/db 3 07:00, p5/db 15:00, n8 22:00, p5/db 2 23:00, w3 23:50 (Warning)
03-29 | srv-a | srv-a | db    | 6 | Success | Warning
# r2 02:00 (Failed), p5/db 3 07:00 (Warning), p6/db 15:00, p6/db 2 23:00
03-30 | srv-a | srv-a | db    | 4 | Success | Success
# r3 02:00 (Failed), n12 11:00; p6/db 3 runs
03-31 | srv-a | srv-a | db    | 2 | Success | Success
02-20 | srv-a | srv-a | files | 1 | Success | Success
03-22 | srv-a | srv-a | files | 1 | Success | Success
03-24 | srv-a | srv-a | files | 1 | Warning | Warning
03-29 | srv-a | srv-a | files | 1 | Success | Success
03-30 | srv-a | srv-a | files | 1 | None    | None
03-26 | srv-a | srv-a | lone  | 1 | Failed  | Failed
03-27 | srv-a | srv-a | lone  | 1 | None    | None
03-28 | srv-a | srv-a | pc-1  | 1 | Warning | Warning
03-28 | srv-a | srv-a | pc-7  | 1 | Success | Success
02-10 | srv-a | srv-a | gone  | 1 | Success | Success
03-01 | srv-a | srv-a | mail  | 1 | Success | Success
03-21 | srv-a | srv-a | mail  | 1 | Success | Success
03-30 | srv-b | srv-b | web   | 1 | Success | Success
03-17 | srv-b | srv-b | arch  | 1 | Success | Success
03-25 | srv-b | srv-b | arch  | 1 | Success | Success
";

// The last 30 days began on 1 March at 12:00.
const CDP: &str = "
# policy uid, name | vm | sessions | failed | good | gap | last good
# Eight ended, one of them failed: from the end of p4/db, 28 March 22:59:30, to the start of p4/db 3, the 29th 07:00. The
# one that runs covers the time until now.
gold@a | Gold | db   | 8 | 1 | 87.5 | 28830   | 03-31 06:59:30
# Of the 30 days only p3; p2 began before them and ended within, on 1 March at 15:59:30. From there to 21 March 16:00 it
# is 20 days and 30 seconds, longer than from 21 March 23:59:30 until now.
gold@a | Gold | mail | 1 | 0 | 100  | 1728030 | 03-21 23:59:30
# Nothing since 10 February 22:59:30, which is 48 days, 13 hours and 30 seconds ago.
gold@a | Gold | gone | 0 | 0 | -    | 4194030 | 02-10 22:59:30
";

// Only backups: sizes of replicas and of CDP are left out.
const SIZES: &str = "
# day | server uid, server | vm | size | over 7 days | over 30 days
02-20 | srv-a | srv-a | web   | 1000  | -    | -
# Known 7 days before: that of 20 February.
03-01 | srv-a | srv-a | web   | 1200  | 200  | -
03-24 | srv-a | srv-a | web   | 1300  | 100  | 300
03-27 | srv-a | srv-a | web   | 1350  | 150  | 350
03-28 | srv-a | srv-a | web   | 1400  | 200  | 400
# f4 had 1410, n11 later 1450.
03-29 | srv-a | srv-a | web   | 1450  | 250  | 450
02-20 | srv-a | srv-a | db    | 5000  | -    | -
03-24 | srv-a | srv-a | db    | 6000  | 1000 | 1000
03-27 | srv-a | srv-a | db    | 6100  | 1100 | 1100
03-28 | srv-a | srv-a | db    | 6200  | 1200 | 1200
03-29 | srv-a | srv-a | db    | 6300  | 1300 | 1300
# 7 days before it was the 24th.
03-31 | srv-a | srv-a | db    | 6400  | 400  | 1400
02-20 | srv-a | srv-a | files | 2000  | -    | -
# 30 days before it was 20 February.
03-22 | srv-a | srv-a | files | 2500  | 500  | 500
03-24 | srv-a | srv-a | files | 2600  | 600  | 600
03-29 | srv-a | srv-a | files | 2700  | 200  | 700
03-28 | srv-a | srv-a | pc-1  | 300   | -    | -
03-28 | srv-a | srv-a | pc-7  | 500   | -    | -
03-30 | srv-b | srv-b | web   | 700   | -    | -
03-17 | srv-b | srv-b | arch  | 10000 | -    | -
03-25 | srv-b | srv-b | arch  | 10500 | 500  | -
";
