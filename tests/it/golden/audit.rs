//! What auditors ask of the week, and how current the copy is.

use vemsync::report::views::{
    AUDIT_MONTHLY, DAILY_RESULTS, FAILOVER_AUDIT, REPORT_CLOCK, RESTORE_AUDIT, SYNC_FRESHNESS,
};

use super::Expected;

pub const EXPECTED: &[Expected] = &[
    (&RESTORE_AUDIT, RESTORES),
    (&FAILOVER_AUDIT, FAILOVERS),
    (&DAILY_RESULTS, DAYS),
    (&AUDIT_MONTHLY, MONTHS),
    (&SYNC_FRESHNESS, FRESHNESS),
    (&REPORT_CLOCK, "03-31 12:00"),
];

const RESTORES: &str = "
# uid | vm | type            | point              | of                    | age    | start              | end                | secs | result | message | server
# 9 hours, 40 minutes and 0.75 seconds old; it took 1799.5 seconds.
x1 | web   | RestoreVm       | point of web       | 03-27 22:20           | 34800  | 03-28 08:00:00.750 | 03-28 08:30:00.250 | 1799 | Success | -            | srv-a
# Ten minutes and a fraction less than seven days old.
x2 | files | FileLevelRestore | point of files    | 03-22 01:00:00.123456 | 604199 | 03-29 00:50        | 03-29 01:20        | 1800 | Success | -            | srv-a
x3 | db    | FileLevelRestore | point of db       | -                     | -      | 03-30 10:00        | 03-30 10:01        | 60   | Failed  | mount failed | srv-a
x4 | db    | RestoreVm       | -                  | -                     | -      | 03-30 09:50        | 03-30 10:40        | 3000 | Success | -            | srv-a
x5 | web   | FileLevelRestore | later point of web | 03-29 01:30          | 208800 | 03-31 11:30        | -                  | -    | None    | -            | srv-a
";

const FAILOVERS: &str = "
# session, plan | plan uid | action | by | reason    | requested      | task    | start       | end         | secs | result | vm, result, secs
y1 | Site A | plan A | test | anna | quarterly test | 03-30 03:59:30 | task-42 | 03-30 04:00 | 03-30 04:20 | 1200 | Success | web | Success | 540
y1 | Site A | plan A | test | anna | quarterly test | 03-30 03:59:30 | task-42 | 03-30 04:00 | 03-30 04:20 | 1200 | Success | db  | Warning | 1020
y2 | Site B | -      | -    | -    | -              | -              | -       | 03-30 05:00 | 03-30 05:01 | 60   | Failed  | -   | -       | -
";

// By the day of the start. Runs of workers and children are left out, their tasks are not.
const DAYS: &str = "
# day | server | kind                 | runs, good, warned, failed | size  | secs   | longest
02-10 | srv-a | CdpReplicaSession     | 1 | 1 | 0 | 0 | -     | 28800  | 28800
02-10 | srv-a | CdpReplicaTaskSession | 1 | 1 | 0 | 0 | 900   | 28770  | 28770
# n1, f1
02-20 | srv-a | BackupJobSession      | 2 | 2 | 0 | 0 | -     | 2700   | 1800
02-20 | srv-a | BackupTaskSession     | 3 | 3 | 0 | 0 | 8000  | 3600   | 1500
03-01 | srv-a | BackupJobSession      | 1 | 1 | 0 | 0 | -     | 1200   | 1200
03-01 | srv-a | BackupTaskSession     | 1 | 1 | 0 | 0 | 1200  | 1200   | 1200
03-01 | srv-a | CdpReplicaSession     | 1 | 1 | 0 | 0 | -     | 28800  | 28800
03-01 | srv-a | CdpReplicaTaskSession | 1 | 1 | 0 | 0 | 800   | 28770  | 28770
03-05 | srv-a | BackupJobSession      | 1 | 1 | 0 | 0 | -     | 1800   | 1800
03-17 | srv-b | BackupJobSession      | 1 | 1 | 0 | 0 | -     | 7200   | 7200
03-17 | srv-b | BackupTaskSession     | 1 | 1 | 0 | 0 | 10000 | 7200   | 7200
03-21 | srv-a | CdpReplicaSession     | 1 | 1 | 0 | 0 | -     | 28800  | 28800
03-21 | srv-a | CdpReplicaTaskSession | 1 | 1 | 0 | 0 | 820   | 28770  | 28770
03-22 | srv-a | BackupJobSession      | 1 | 1 | 0 | 0 | -     | 1200   | 1200
03-22 | srv-a | BackupTaskSession     | 1 | 1 | 0 | 0 | 2500  | 1200   | 1200
# f3, n3; f3/files 600, n3/web 900, n3/db 3000; and f3/ghost, which names no server and no size
03-24 | srv-a | BackupJobSession      | 2 | 1 | 1 | 0 | -     | 4200   | 3600
03-24 | srv-a | BackupTaskSession     | 3 | 2 | 1 | 0 | 9900  | 4500   | 3000
03-24 | -     | BackupTaskSession     | 1 | 0 | 1 | 0 | -     | 300    | 300
03-25 | srv-b | BackupJobSession      | 1 | 1 | 0 | 0 | -     | 7200   | 7200
03-25 | srv-b | BackupTaskSession     | 1 | 1 | 0 | 0 | 10500 | 7200   | 7200
03-26 | srv-a | BackupTaskSession     | 1 | 0 | 0 | 1 | 0     | 600    | 600
# n4 600, n5 1200, c1 172680, not w1; n4/web 600, n4/db 540, n5/web 1200, w1/web 2400, lone 600
03-27 | srv-a | BackupJobSession      | 3 | 2 | 0 | 1 | -     | 174480 | 172680
03-27 | srv-a | BackupTaskSession     | 5 | 3 | 0 | 1 | 8800  | 5340   | 2400
03-27 | srv-b | BackupJobSession      | 1 | 1 | 0 | 0 | -     | 60     | 60
# n6 3000, n7 2400, l1 600; n6/web 2400, n6/db 2400, n7/web 2400, w2/web 600, w2/db 600, l1/pc-1 600, k1/pc-7 1200
03-28 | srv-a | BackupJobSession      | 3 | 1 | 1 | 1 | -     | 6000   | 3000
03-28 | srv-a | BackupTaskSession     | 7 | 4 | 1 | 2 | 14600 | 10200  | 2400
03-28 | srv-a | RestoreSession        | 1 | 1 | 0 | 0 | -     | 1799   | 1799
03-28 | srv-a | CdpReplicaSession     | 1 | 1 | 0 | 0 | -     | 86360  | 86360
03-28 | srv-a | CdpReplicaTaskSession | 2 | 1 | 0 | 1 | 6200  | 57540  | 28770
# f4 3600, n8 300, n9 300, n10 300, n11 2400; f4/files 2700, f4/web 3000, n8/web 300, n8/db 240, n9/web 300, n10/web 300,
# n11/web 2400, w3/db 900
03-29 | srv-a | BackupJobSession      | 5 | 1 | 1 | 3 | -     | 6900   | 3600
03-29 | srv-a | BackupTaskSession     | 8 | 3 | 2 | 3 | 18160 | 10140  | 3000
03-29 | srv-a | ReplicaJobSession     | 1 | 1 | 0 | 0 | -     | 2700   | 2700
03-29 | srv-a | ReplicaTaskSession    | 1 | 1 | 0 | 0 | 6200  | 2700   | 2700
03-29 | srv-a | RestoreSession        | 1 | 1 | 0 | 0 | -     | 1800   | 1800
03-29 | srv-a | CdpReplicaSession     | 1 | 0 | 1 | 0 | -     | 86360  | 86360
03-29 | srv-a | CdpReplicaTaskSession | 3 | 3 | 0 | 0 | 18600 | 86300  | 28770
# f5 has no result
03-30 | srv-a | BackupJobSession      | 1 | 0 | 0 | 0 | -     | 300    | 300
03-30 | srv-a | BackupTaskSession     | 1 | 0 | 0 | 0 | 0     | 300    | 300
03-30 | srv-a | ReplicaJobSession     | 1 | 0 | 0 | 1 | -     | 600    | 600
03-30 | srv-a | ReplicaTaskSession    | 1 | 0 | 0 | 1 | 0     | 600    | 600
03-30 | srv-a | RestoreSession        | 2 | 1 | 0 | 1 | -     | 3060   | 3000
03-30 | srv-a | CloudFailoverSession  | 2 | 1 | 0 | 1 | -     | 1260   | 1200
03-30 | srv-a | CdpReplicaTaskSession | 3 | 2 | 1 | 0 | 18600 | 86300  | 28770
03-30 | srv-b | BackupJobSession      | 1 | 1 | 0 | 0 | -     | 1200   | 1200
03-30 | srv-b | BackupTaskSession     | 1 | 1 | 0 | 0 | 700   | 1200   | 1200
# n12 runs, n12/db has ended
03-31 | srv-a | BackupTaskSession     | 1 | 1 | 0 | 0 | 6400  | 1800   | 1800
03-31 | srv-a | ReplicaJobSession     | 1 | 0 | 0 | 1 | -     | 1800   | 1800
03-31 | srv-a | ReplicaTaskSession    | 1 | 0 | 0 | 1 | 0     | 1800   | 1800
";

// The RPO is 24 hours, that of arch 170. A day counts by its end, the midnight after it; the 31st has not ended.
const MONTHS: &str = "
# month | server | vms | rpo | jobs | restores | good | tests | gap
#
# February. gone counts from the 10th, 19 days, and is within RPO on the first; web, db and files from the 20th, 9 days
# each, within RPO on the first. 4 / 46 = 8.6956. gone had no good end from the 10th 22:59:30 until the month's end.
02-01 | srv-a | 4 | 8.69  | 100 | 0 | -  | 0 | 433
#
# March, days within RPO of those that count:
#   web    6 of 30  1, 24, 27, 28, 29 (last good at 01:30), 30 (at 00:30)
#   db     5 of 30  24, 27, 28, 29, 30
#   files  3 of 30  22, 24, 29
#   mail   2 of 30  1, 21 (at 23:59:30); at the end of the 22nd it was a day and 30 seconds
#   gone   0 of 11  until the 12th 22:59:30, 30 days after its last attempt
#   lone   0 of 5   from its first attempt, on the 26th
#   pc-1   1 of 3
#   pc-7   1 of 3   18 / 142 = 12.676
# Six of them had a good end; not gone, not lone.
# Runs: n2 to n11, 5 of 10 good; f2 to f5, 3 of 4; c0, c1 and l1; r1 to r3, 1 of 3: 12 of 20.
# Restores: x1, x2, x4 of 4; x5 runs.
# The longest gap is that of db, from 20 February 22:30 to 24 March 23:00: 32 days and half an hour.
03-01 | srv-a | 6 | 12.67 | 60  | 4 | 75 | 1 | 768
#
# arch is within RPO until 170 hours after the 17th 05:00, the 24th 07:00: 17 to 23; and 25 to 30. With the one day of
# web 14 of 15. Its gap is that of 8 days.
03-01 | srv-b | 2 | 93.33 | 100 | 0 | -  | 0 | 192
";

const FRESHNESS: &str = "
# em  | kind              | server | started     | ended       | read           | lag   | age    | swept       | rejects
# The sweep that began last has not been done.
paris | BackupTaskSession | srv-a  | 03-31 11:00 | 03-31 11:30 | 03-31 11:58    | 120   | 1800   | 03-30 03:00 | 2
paris | BackupTaskSession | -      | 03-24 12:30 | -           | 03-31 11:58    | 120   | 603000 | 03-30 03:00 | 2
paris | RestoreSession    | srv-a  | 03-31 11:30 | 03-30 10:40 | 03-31 11:58:30 | 90    | 1800   | -           | 0
lyon  | BackupJobSession  | srv-b  | 03-30 22:00 | 03-30 22:20 | 03-31 09:00    | 10800 | 49200  | -           | 0
";
