//! Servers, jobs, policies and plans.

use super::{NAMESPACE, Xml, base, optional_time, reference, server_link, urn};
use crate::simulator::types::{ParentType, QueryType};
use crate::simulator::world::{Job, Plan, Policy, Server, World};

/// A parent as a row or alone, as an entity or as a reference.
pub(in crate::simulator) fn parent(
    xml: &mut Xml,
    world: &World,
    kind: ParentType,
    at: usize,
    entity: bool,
    alone: bool,
) {
    let query = QueryType::Parent(kind);
    let (uid, name, server) = match kind {
        ParentType::BackupServer => (world.servers[at].uid, &world.servers[at].name, None),
        ParentType::Job | ParentType::AgentBackupJob | ParentType::NasJob => {
            (world.jobs[at].uid, &world.jobs[at].name, Some(world.jobs[at].server))
        }
        ParentType::CdpPolicy => (world.policies[at].uid, &world.policies[at].name, Some(world.policies[at].server)),
        ParentType::CloudFailoverPlan => (world.plans[at].uid, &world.plans[at].name, Some(world.plans[at].server)),
    };
    if !entity {
        reference(xml, query.name(), query.path(), uid, name, &mut |xml| {
            if let Some(server) = server {
                server_link(xml, world, server, at);
            }
        });
        return;
    }
    let href = format!("{}/api/{}/{uid}?format=Entity", base(at), query.path());
    let uid_text = urn(query.name(), uid);
    let mut attributes =
        vec![("Type", query.name()), ("Href", href.as_str()), ("Name", name.as_ref()), ("UID", uid_text.as_str())];
    attributes.rotate_left(at % 4);
    if alone {
        attributes.insert(0, ("xmlns", NAMESPACE));
    }
    xml.open(query.row_tag(), &attributes);
    xml.open("Links", &[]);
    if let Some(server) = server {
        server_link(xml, world, server, at);
    }
    let own = format!("{}/{uid}", query.path());
    xml.link("Link", "Alternate", &format!("{}Reference", query.name()), &own, Some(name), at);
    if kind == ParentType::BackupServer {
        xml.link("Link", "Down", "JobReferenceList", &format!("{own}/jobs"), None, at);
        xml.link("Link", "Start", "", &format!("{own}?action=collect"), None, at);
    }
    xml.close("Links");
    match kind {
        ParentType::BackupServer => server_elements(xml, &world.servers[at]),
        ParentType::Job | ParentType::AgentBackupJob | ParentType::NasJob => job_elements(xml, &world.jobs[at]),
        ParentType::CdpPolicy => policy_elements(xml, &world.policies[at]),
        ParentType::CloudFailoverPlan => plan_elements(xml, &world.plans[at]),
    }
    xml.close(query.row_tag());
}

fn optional(xml: &mut Xml, name: &str, value: &str) {
    if value.is_empty() {
        xml.empty(name, &[]);
    } else {
        xml.leaf(name, value);
    }
}

fn flag(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn server_elements(xml: &mut Xml, server: &Server) {
    optional(xml, "Description", &server.description);
    xml.leaf("Port", &server.port.to_string());
    xml.leaf("Version", &server.version);
}

fn job_elements(xml: &mut Xml, job: &Job) {
    xml.leaf("JobType", job.job_type);
    xml.leaf("Platform", job.platform);
    optional(xml, "Description", &job.description);
    xml.leaf("ScheduleConfigured", flag(job.schedule_configured));
    xml.leaf("ScheduleEnabled", flag(job.schedule_enabled));
    optional_time(xml, "NextRun", job.next_run);
    // Nested parts repeat names of the outer ones: only the outermost are the job's own.
    xml.open("JobScheduleOptions", &[]);
    xml.open("Standart", &[]);
    xml.open("RetryOptions", &[]);
    xml.leaf("RetryTimes", "3");
    xml.leaf("RetryTimeout", "10");
    xml.close("RetryOptions");
    xml.open("OptionsDaily", &[("Enabled", flag(job.schedule_configured))]);
    xml.leaf("Kind", "Everyday");
    xml.leaf("Time", "21:30:00.0000000+02:00");
    xml.close("OptionsDaily");
    xml.close("Standart");
    xml.close("JobScheduleOptions");
    xml.open("JobInfo", &[]);
    xml.open("BackupJobInfo", &[]);
    xml.open("Includes", &[]);
    xml.open("ObjectInJob", &[("Type", "ObjectInJob")]);
    xml.leaf("Name", "one of the machines");
    xml.leaf("Description", "not the job's");
    xml.close("ObjectInJob");
    xml.close("Includes");
    xml.close("BackupJobInfo");
    xml.close("JobInfo");
}

fn policy_elements(xml: &mut Xml, policy: &Policy) {
    xml.leaf("PolicyType", "CdpReplica");
    xml.leaf("Platform", "VMware");
    optional(xml, "Description", &policy.description);
    xml.leaf("ScheduleConfigured", "true");
    xml.leaf("ScheduleEnabled", flag(policy.schedule_enabled));
    optional_time(xml, "NextRun", policy.next_run);
    xml.open("PolicyScheduleOptions", &[]);
    xml.open("CdpReplica", &[]);
    xml.leaf("RecoveryPointObjectiveSeconds", "30");
    xml.close("CdpReplica");
    xml.close("PolicyScheduleOptions");
}

fn plan_elements(xml: &mut Xml, plan: &Plan) {
    xml.leaf("TenantUid", &urn("CloudTenant", plan.tenant_uid));
    xml.leaf("TenantName", &plan.tenant_name);
    optional(xml, "Description", &plan.description);
    xml.open("CloudFailoverPlanOptions", &[]);
    xml.leaf("PostFailoverPlanCommandEnabled", "false");
    xml.empty("PostFailoverPlanCommand", &[]);
    xml.close("CloudFailoverPlanOptions");
    xml.open("CloudFailoverPlanInfo", &[]);
    xml.open("Includes", &[]);
    // Older servers call the rows otherwise.
    let tag = if plan.vms.len().is_multiple_of(2) { "CloudFailoveredVm" } else { "CloudFailoverPlanVm" };
    for (order, (id, name)) in plan.vms.iter().enumerate() {
        let href = format!("{}/api/cloud/cloudFailoverPlans/{}/includes/{id}", base(order), plan.uid);
        xml.open(tag, &[("Type", tag), ("Href", &href)]);
        xml.leaf("FailoverPlanVMId", &id.to_string());
        xml.leaf("Name", name);
        xml.leaf("Order", &order.to_string());
        xml.close(tag);
    }
    xml.close("Includes");
    xml.close("CloudFailoverPlanInfo");
}
