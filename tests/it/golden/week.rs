//! The story of the last days of March 2026, told on the 31st at noon. All times are UTC. In Berlin the clocks went
//! forward on the 29th at 01:00.

use chrono::TimeDelta;

use super::story::{Failed, NoEnd, NoResult, Running, Story, Success, Warning, hours, mins, secs};

pub const NOW: &str = "2026-03-31 12:00";

pub fn story() -> Story {
    let mut s = Story::default();
    s.manager(1, "paris").server("srv-a");
    nightly(&mut s);
    files(&mut s);
    copies(&mut s);
    laptops(&mut s);
    replicas(&mut s);
    policies(&mut s);
    restores(&mut s);
    failovers(&mut s);
    sync_of_paris(&mut s);
    s.manager(2, "lyon").server("srv-b");
    lyon(&mut s);
    s
}

/// Web and database servers, every now and then. Nobody says that this is a good schedule.
fn nightly(s: &mut Story) {
    let job = "nightly@a";
    s.job(job, "Nightly", "Backup").scheduled(true);
    s.run("n1", job, "2026-02-20 22:00", mins(30), Success);
    s.vm("web", mins(0), mins(20), Success, 1000).vm("db", mins(5), mins(25), Success, 5000);
    // Half an hour within the last 30 days.
    s.run("n2", job, "2026-03-01 12:30", mins(20), Success);
    s.vm("web", mins(0), mins(20), Success, 1200);
    s.run("n3", job, "2026-03-24 22:00", mins(60), Success);
    s.vm("web", mins(0), mins(15), Success, 1300).vm("db", mins(10), mins(50), Success, 6000);

    // A failure that its retry repairs the same day.
    s.run("n4", job, "2026-03-27 22:00", mins(10), Failed).because("1 of 2 failed");
    s.vm("web", mins(0), mins(10), Failed, 0).because("cannot reach host");
    s.vm("db", mins(0), mins(9), Success, 6100);
    s.run("n5", job, "2026-03-27 22:20", mins(20), Success).retry();
    s.vm("web", mins(0), mins(20), Success, 1350);

    // A success, and a failed retry that goes on over midnight.
    s.run("n6", job, "2026-03-28 22:00", mins(50), Success);
    s.vm("web", mins(0), mins(40), Success, 1400).vm("db", mins(10), mins(40), Success, 6200);
    s.run("n7", job, "2026-03-28 23:30", mins(40), Failed).retry().because("1 of 1 failed");
    s.vm("web", mins(0), mins(40), Failed, 0).because("disk full");

    // Two failed retries, then one that is good and ends on the next day.
    s.run("n8", job, "2026-03-29 22:00", mins(5), Failed).because("1 of 2 failed");
    s.vm("web", mins(0), mins(5), Failed, 0).because("snapshot timeout").vm("db", mins(0), mins(4), Success, 6300);
    s.run("n9", job, "2026-03-29 22:15", mins(5), Failed).retry().because("1 of 1 failed");
    s.vm("web", mins(0), mins(5), Failed, 0).because("snapshot timeout");
    s.run("n10", job, "2026-03-29 22:30", mins(5), Failed).retry().because("1 of 1 failed");
    s.vm("web", mins(0), mins(5), Failed, 0).because("snapshot timeout");
    s.run("n11", job, "2026-03-29 23:50", mins(40), Warning).retry().because("tracking was reset");
    s.vm("web", mins(0), mins(40), Warning, 1450).because("tracking was reset");

    // Still running, with one machine done. What the other one says already means nothing yet.
    s.run("n12", job, "2026-03-31 11:00", Running, NoResult);
    s.vm("web", mins(0), Running, Warning, 0).vm("db", mins(0), mins(30), Success, 6400);
}

/// The job was called "File servers" until the 24th. It has a machine in common with Nightly.
fn files(s: &mut Story) {
    let job = "files@a";
    s.job(job, "Files", "Backup").scheduled(true);
    s.run("f1", job, "2026-02-20 01:00", mins(15), Success).then_named("File servers");
    s.vm("files", mins(0), mins(15), Success, 2000);
    s.run("f2", job, "2026-03-22 01:00", mins(20), Success).then_named("File servers");
    s.vm("files", mins(0), mins(20), Success, 2500);
    // Half an hour within the last 7 days. One task names no backup server and no size.
    s.run("f3", job, "2026-03-24 12:30", mins(10), Warning).then_named("File servers").because("2 warned");
    s.vm("files", mins(0), mins(10), Warning, 2600).because("low space");
    s.vm("ghost", mins(0), mins(5), Warning, 0).because("not found");
    s.without("backup_server_uid").without("total_size_bytes");
    // From 01:30 to 03:30 by the clocks of Berlin.
    s.run("f4", job, "2026-03-29 00:30", mins(60), Success);
    s.vm("files", mins(0), mins(45), Success, 2700).vm("web", mins(10), mins(50), Success, 1410);
    // It ended, and nobody knows how.
    s.run("f5", job, "2026-03-30 01:00", mins(5), NoResult);
    s.vm("files", mins(0), mins(5), NoResult, 0);
    s.run("f6", job, "2026-03-31 01:00", NoEnd, Success);
    // Of the runs that these belong to nothing is known.
    s.lone_backup("lone backup", "lone", "2026-03-26 12:00", mins(10), Failed).because("agent offline");
    s.lone_backup("next lone backup", "lone", "2026-03-27 10:00", mins(10), NoResult);
}

/// A copy job with its worker. It was deleted and made anew under the same name.
fn copies(s: &mut Story) {
    s.job("old copy@a", "Copy", "ImmediateBackupCopy").missing_since("2026-03-10 09:00");
    s.run("c0", "old copy@a", "2026-03-05 06:00", mins(30), Success);
    s.job("copy@a", "Copy", "ImmediateBackupCopy").scheduled(true);
    s.run("c1", "copy@a", "2026-03-27 06:00", hours(48) - mins(2), Success);
    s.run("c2", "copy@a", "2026-03-29 06:00", Running, NoResult);
    s.job("worker@a", "Copy\\Nightly", "ImmediateBackupCopyWorker");
    // What kind of run it is can only be told from its job.
    s.run("w1", "worker@a", "2026-03-27 23:00", mins(40), Success).without("job_type");
    s.vm("web", mins(0), mins(40), Success, 1350);
    s.run("w2", "worker@a", "2026-03-28 23:10", mins(20), Failed).because("1 of 2 failed");
    s.vm("web", mins(0), mins(10), Failed, 0).because("target full").vm("db", mins(10), mins(10), Success, 6200);
    s.run("w3", "worker@a", "2026-03-29 23:50", mins(15), Warning).because("slow target");
    s.vm("db", mins(0), mins(15), Warning, 6300).because("slow target");
    s.run("w4", "worker@a", "2026-03-31 10:00", Running, NoResult);
    s.vm("web", mins(0), Running, NoResult, 0);
}

fn laptops(s: &mut Story) {
    s.job("laptops@a", "Laptops", "AgentBackup").scheduled(false);
    s.run("l1", "laptops@a", "2026-03-28 09:00", mins(10), Warning).because("1 warned");
    s.vm("pc-1", mins(0), mins(10), Warning, 300).because("battery low");
    s.job("child@a", "Laptops\\pc-7", "AgentManagement");
    s.run("k1", "child@a", "2026-03-28 09:05", mins(20), Success);
    s.vm("pc-7", mins(0), mins(20), Success, 500);
}

fn replicas(s: &mut Story) {
    s.job("dr@a", "DR", "Replica").scheduled(true);
    s.run("r1", "dr@a", "2026-03-29 02:00", mins(45), Success).without("is_retry");
    s.vm("db", mins(0), mins(45), Success, 6200);
    s.run("r2", "dr@a", "2026-03-30 02:00", mins(10), Failed).because("no host");
    s.vm("db", mins(0), mins(10), Failed, 0).because("no host");
    s.run("r3", "dr@a", "2026-03-31 02:00", mins(30), Failed).because("no host");
    s.vm("db", mins(0), mins(30), Failed, 0).because("no host");
}

/// A policy's session lasts a day, a machine's part of it eight hours less half a minute.
fn policies(s: &mut Story) {
    let (policy, shift) = ("gold@a", hours(8) - secs(30));
    s.job(policy, "Gold", "CdpReplica");
    // A machine that nothing was heard of for seven weeks, and one that was silent for twenty days in March.
    s.run("p1", policy, "2026-02-10 15:00", hours(8), Success).vm("gone", hours(0), shift, Success, 900);
    s.run("p2", policy, "2026-03-01 08:00", hours(8), Success).vm("mail", hours(0), shift, Success, 800);
    s.run("p3", policy, "2026-03-21 16:00", hours(8), Success).vm("mail", hours(0), shift, Success, 820);

    s.run("p4", policy, "2026-03-28 15:00", hours(24) - secs(40), Success);
    s.vm("db", hours(0), shift, Success, 6200).vm("db", hours(8), shift, Failed, 0).because("link down");
    s.vm("db", hours(16), shift - secs(10), Success, 6200);
    s.run("p5", policy, "2026-03-29 15:00", hours(24) - secs(40), Warning).because("bandwidth");
    s.vm("db", hours(0), shift, Success, 6200).vm("db", hours(8), shift, Success, 6200);
    s.vm("db", hours(16), shift - secs(10), Warning, 6200).because("bandwidth");
    s.run("p6", policy, "2026-03-30 15:00", Running, NoResult);
    s.vm("db", hours(0), shift, Success, 6200).vm("db", hours(8), shift, Success, 6200);
    // It says Success while it runs.
    s.vm("db", hours(16), Running, Success, 6200);
}

fn restores(s: &mut Story) {
    s.restore("x1", ("RestoreVm", "web"), "2026-03-28 08:00:00.75", mins(30) - TimeDelta::milliseconds(500), Success);
    s.reading("point of web", "web@2026-03-27 22:20:00");
    // From 01:50 to 03:20 by the clocks of Berlin.
    s.restore("x2", ("FileLevelRestore", "files"), "2026-03-29 00:50", mins(30), Success);
    s.reading("point of files", "files@2026-03-22 01:00:00.1234567");
    // One fails while another of the same machine, begun before it, goes on and is good.
    s.restore("x3", ("FileLevelRestore", "db"), "2026-03-30 10:00", mins(1), Failed).because("mount failed");
    s.reading("point of db", "db (imported)");
    s.restore("x4", ("RestoreVm", "db"), "2026-03-30 09:50", mins(50), Success);
    s.restore("x5", ("FileLevelRestore", "web"), "2026-03-31 11:30", Running, NoResult);
    s.reading("later point of web", "web@2026-03-29 01:30:00");
}

fn failovers(s: &mut Story) {
    s.failover("y1", "Site A", "2026-03-30 04:00", mins(20), Success);
    s.failed_over("y1", 0, "web", "2026-03-30 04:01", mins(9), Success);
    s.failed_over("y1", 1, "db", "2026-03-30 04:02", mins(17), Warning);
    s.tested_by("y1", "plan A", "anna", "quarterly test", "2026-03-30 03:59:30");
    s.failover("y2", "Site B, by hand", "2026-03-30 05:00", mins(1), Failed).of_plan("Site B").because("no network");
}

fn sync_of_paris(s: &mut Story) {
    s.mark("BackupTaskSession", "srv-a", "creation", "2026-03-31 11:00", "2026-03-31 11:58");
    s.mark("BackupTaskSession", "srv-a", "end", "2026-03-31 11:30", "2026-03-31 11:58");
    s.mark("BackupTaskSession", "", "creation", "2026-03-24 12:30", "2026-03-31 11:58");
    s.mark("RestoreSession", "srv-a", "creation", "2026-03-31 11:30", "2026-03-31 11:58:30");
    s.mark("RestoreSession", "srv-a", "end", "2026-03-30 10:40", "2026-03-31 11:58:30");
    s.sweep("BackupTaskSession", "2026-03-29 02:50", Some("2026-03-29 03:10"));
    s.sweep("BackupTaskSession", "2026-03-30 02:50", Some("2026-03-30 03:00"));
    s.sweep("BackupTaskSession", "2026-03-31 11:00", None);
    s.reject("BackupTaskSession", "<one/>", "2026-03-28 22:05", 5);
    s.reject("BackupTaskSession", "<two/>", "2026-03-29 22:05", 1);
}

/// The other Enterprise Manager has jobs and machines of the same names.
fn lyon(s: &mut Story) {
    s.job("nightly@b", "Nightly", "Backup").scheduled(true);
    s.run("nb", "nightly@b", "2026-03-30 22:00", mins(20), Success).vm("web", mins(0), mins(20), Success, 700);
    s.job("weekly@b", "Weekly", "Backup").scheduled(true);
    s.run("wk1", "weekly@b", "2026-03-17 03:00", hours(2), Success).vm("arch", mins(0), hours(2), Success, 10_000);
    s.run("wk2", "weekly@b", "2026-03-25 03:00", hours(2), Success).vm("arch", mins(0), hours(2), Success, 10_500);
    s.rpo("weekly@b", 170);
    s.job("copy@b", "Copy", "ImmediateBackupCopy").scheduled(true);
    s.run("cb", "copy@b", "2026-03-27 06:00", mins(1), Success);
    s.job("new@b", "New", "Backup").scheduled(true);
    s.mark("BackupJobSession", "srv-b", "creation", "2026-03-30 22:00", "2026-03-31 09:00");
    s.mark("BackupJobSession", "srv-b", "end", "2026-03-30 22:20", "2026-03-31 09:00");
    s.reject("RestoreSession", "<three/>", "2026-03-29 22:05", 1);
}
