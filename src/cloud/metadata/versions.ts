/** Versions of EC2's metadata that Nova answers for, the oldest first. */
export const ec2Versions = [
  "1.0",
  "2007-01-19",
  "2007-03-01",
  "2007-08-29",
  "2007-10-10",
  "2007-12-15",
  "2008-02-01",
  "2008-09-01",
  "2009-04-04",
] as const;

/** Versions of OpenStack's own, the oldest first; what is new in each is told where it is made. */
export const openstackVersions = [
  "2012-08-10",
  "2013-04-04",
  "2013-10-17",
  "2015-10-15",
  "2016-06-30",
  "2016-10-06",
  "2017-02-22",
  "2018-08-27",
  "2020-10-14",
] as const;

export type Ec2Version = (typeof ec2Versions)[number];
export type OpenstackVersion = (typeof openstackVersions)[number];

/** What `latest` is. */
export const newestEc2: Ec2Version = "2009-04-04";
export const newestOpenstack: OpenstackVersion = "2020-10-14";

/** Dates of one width compare as text does, and EC2's `1.0` comes before them. */
export const isSince = (version: string, first: Ec2Version | OpenstackVersion) => version >= first;
