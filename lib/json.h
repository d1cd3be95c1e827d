/*
 * JSON as the Go plugins read and print it, over jansson.
 *
 * Go's encoding/json differs from jansson on input: keys match whatever their case, null means "not
 * given", a repeated key overrides (objects merge), invalid UTF-8 is replaced. cni_json_parse turns
 * all of that into one normal form at the door (CNI's own key names in their documented spelling,
 * no nulls, no repeated keys), so that the rest of the code is plain jansson.
 */
#ifndef CNI_JSON_H
#define CNI_JSON_H

#include "buf.h"
#include "error.h"

#include <jansson.h>

CNI_AUTO(json, json_t *, json_decref)

/**
 * Have every lack of memory in jansson noticed from now on: it loses bytes of a text and members of an
 * object without a word. What may be incomplete is then neither parsed nor printed.
 */
void cni_json_watch_memory(void);

/** @return whether there was such a lack of memory */
bool cni_json_lacked_memory(void);

/**
 * Parse and normalise one JSON document.
 *
 * @param text  bytes, need not be NUL-terminated
 * @param len   number of bytes
 * @param why   on failure: the parser's reason, for the user
 * @return a new reference (any JSON type; a top-level null stays null); NULL on failure
 */
json_t *cni_json_parse(const char *text, size_t len,
		       char why[static JSON_ERROR_TEXT_LENGTH]) cni_must_check;

/**
 * Look for what the normal form does not tell any more: a key that stands twice, byte for byte, in the
 * objects of one name at the top of a document.
 *
 * @param text    a document that cni_json_parse has read
 * @param object  one of CNI's key names
 */
bool cni_json_repeats(const char *text, size_t len, const char *object) cni_must_check;

/** What a key must hold, and the C type its value is stored as. */
enum cni_json_kind {
	CNI_JSON_STRING, /**< const char *, borrowed from the object */
	CNI_JSON_BOOL, /**< bool */
	CNI_JSON_INT, /**< json_int_t */
	CNI_JSON_INT_OR_AUTO, /**< json_int_t; the text "auto" becomes CNI_JSON_AUTO */
	CNI_JSON_OBJECT, /**< json_t *, borrowed */
	CNI_JSON_ARRAY, /**< json_t *, borrowed */
	CNI_JSON_STRINGS, /**< json_t *, borrowed: an array with nothing but strings in it */
};

/** What "auto" is read as; as a number it is refused. */
#define CNI_JSON_AUTO ((json_int_t)INT64_MIN)

/** One key of an object and where its value goes. */
struct cni_json_field {
	const char *key;
	enum cni_json_kind kind;
	size_t offset; /**< offsetof(struct, member) of a member of the kind's C type */
};

/**
 * Read the named keys of an object into a struct; a key that is absent leaves its member alone, so
 * defaults are set before the call. Unknown keys are ignored.
 *
 * @param obj     a normalised object; NULL reads nothing
 * @param where   path of @p obj, put in front of the key in messages: "" or "ipam."
 * @param ret     the struct that the offsets belong to; values are borrowed from @p obj
 * @return 0; -EINVAL if a value has the wrong type (code CNI_E_CONFIG, naming key and value)
 */
int cni_json_read(json_t *obj, const char *where, const struct cni_json_field *fields, size_t n,
		  void *ret, struct cni_error *err) cni_must_check;

/**
 * Print as Go's json.MarshalIndent (4 blanks) or json.Marshal does, in the order of insertion,
 * with `<`, `>` and `&` escaped.
 *
 * @param compact  one line without blanks
 * @param ret      gets the text appended; check `failed` at the end
 */
void cni_json_print(const json_t *value, bool compact, struct cni_buf *ret);

/** Append @p value as a JSON string to @p ret, quoted and escaped as Go does. */
void cni_json_print_string(const char *value, size_t len, struct cni_buf *ret);

#endif
