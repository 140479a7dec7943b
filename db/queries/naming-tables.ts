/** Where people are named, besides the audit: the columns, and which text of a row names them. */
export interface NamingTable {
  name: string
  key: readonly string[]
  columns: readonly string[]
  /** SQL of the text to look in. What a tenant configures is not looked through. */
  text: string
}

export const NAMING_TABLES: readonly NamingTable[] = [
  {
    name: "changes",
    key: ["change_id"],
    columns: ["content", "status", "approvals", "comments"],
    text: `(content - 'edits')::text || jsonb_path_query_array(content, '$.edits[*].owner')::text
      || status::text || approvals::text || comments::text`,
  },
  {
    name: "config_versions",
    key: ["environment", "key", "version"],
    columns: ["author", "reason", "edit"],
    text: "to_jsonb(array[author, reason, edit ->> 'owner'])::text",
  },
  {
    name: "tokens",
    key: ["token_id"],
    columns: ["subject", "issuer", "revoked_by"],
    text: "to_jsonb(array[subject, revoked_by])::text || issuer::text",
  },
  {
    name: "channels",
    key: ["channel_id"],
    columns: ["created_by", "config"],
    text: "to_jsonb(created_by)::text || config::text",
  },
  { name: "deliveries", key: ["delivery_id"], columns: ["detail"], text: "detail::text" },
  {
    name: "report_reviews",
    key: ["review_id"],
    columns: ["by", "comment"],
    text: `to_jsonb(array["by", comment])::text`,
  },
  { name: "jobs", key: ["job_id"], columns: ["created_by"], text: "created_by::text" },
  { name: "backups", key: ["backup_id"], columns: ["created_by"], text: "to_jsonb(created_by)::text" },
]
