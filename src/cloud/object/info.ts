import { bulkLimits } from "./bulk-delete.ts";
import { largestObject, listingLimit } from "./limits.ts";
import { metadataLimits } from "./metadata-limits.ts";
import { manifestLimits } from "./static-large-object.ts";

/** `GET /info`: what this Swift has, and how much of it. */
export const info = {
  swift: {
    version: "2.30.1",
    strict_cors_mode: true,
    policies: [{ name: "Policy-0", aliases: "Policy-0", default: true }],
    allow_account_management: false,
    account_autocreate: true,
    max_file_size: largestObject,
    max_meta_name_length: metadataLimits.name,
    max_meta_value_length: metadataLimits.value,
    max_meta_count: metadataLimits.count,
    max_meta_overall_size: metadataLimits.overall,
    max_header_size: metadataLimits.header,
    max_object_name_length: 1024,
    container_listing_limit: listingLimit,
    account_listing_limit: listingLimit,
    max_account_name_length: 256,
    max_container_name_length: 256,
    extra_header_count: 0,
  },
  slo: {
    max_manifest_segments: manifestLimits.segments,
    max_manifest_size: manifestLimits.bytes,
    yield_frequency: 10,
    min_segment_size: 1,
    allow_async_delete: false,
  },
  bulk_delete: { max_deletes_per_request: bulkLimits.deletes, max_failed_deletes: bulkLimits.failures },
  tempurl: {
    methods: ["GET", "HEAD", "PUT", "POST", "DELETE"],
    incoming_remove_headers: ["x-timestamp"],
    incoming_allow_headers: [],
    outgoing_remove_headers: ["x-object-meta-*"],
    outgoing_allow_headers: ["x-object-meta-public-*"],
    allowed_digests: ["sha1", "sha256", "sha512"],
    deprecated_digests: ["sha1"],
  },
  object_versioning: {},
  container_quotas: {},
  account_quotas: {},
};
