/*
 * D-Bus messages: calls as bytes, and answers read from bytes.
 */
#include "dbus_message.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <string.h>

static const struct cni_dbus_call add_source = {
	.destination = "org.fedoraproject.FirewallD1",
	.path = "/org/fedoraproject/FirewallD1",
	.interface = "org.fedoraproject.FirewallD1.zone",
	.member = "addSource",
	.arg = { "trusted", "10.1.0.2/32" },
};

START_TEST(a_call_is_a_whole_message)
{
	cni_auto(buf) struct cni_buf b = { 0 };
	struct cni_dbus_message m;
	size_t len = 0;

	cni_dbus_put_call(&b, 0x01020304, &add_source);
	ck_assert(!b.failed);
	/* little endian, method call, no flags, version 1; body: two strings; serial */
	ck_assert_mem_eq(b.data, "l\1\0\1\x1c\0\0\0\4\3\2\1", 12);
	ck_assert_int_eq(cni_dbus_message_len((uint8_t *)b.data, &len), 0);
	ck_assert_uint_eq(len, b.len);
	ck_assert_int_eq(cni_dbus_message_read((uint8_t *)b.data, b.len, &m), 0);
	ck_assert_uint_eq(m.type, CNI_DBUS_METHOD_CALL);
	ck_assert_str_eq(m.text, "trusted");
	ck_assert_mem_eq(b.data + b.len - 16,
			 "\x0b\0\0\0"
			 "10.1.0.2/32",
			 16);
}
END_TEST

START_TEST(a_call_may_forbid_to_start_the_service)
{
	struct cni_dbus_call call = add_source;
	cni_auto(buf) struct cni_buf b = { 0 };

	call.no_auto_start = true;
	cni_dbus_put_call(&b, 1, &call);
	ck_assert_int_eq(b.data[2], 2);
}
END_TEST

START_TEST(a_call_without_arguments_has_no_body)
{
	struct cni_dbus_call call = add_source;
	cni_auto(buf) struct cni_buf b = { 0 };

	call.arg[0] = NULL;
	cni_dbus_put_call(&b, 1, &call);
	ck_assert_mem_eq(b.data + 4, "\0\0\0\0", 4);
	ck_assert_uint_eq(b.len % 8, 0);
}
END_TEST

START_TEST(calls_follow_each_other_in_one_buffer)
{
	cni_auto(buf) struct cni_buf b = { 0 };
	struct cni_dbus_message m;
	size_t first;

	cni_dbus_put_call(&b, 1, &add_source); /* its length is no multiple of 8 */
	first = b.len;
	cni_dbus_put_call(&b, 2, &add_source);
	ck_assert_int_eq(cni_dbus_message_read((uint8_t *)b.data + first, b.len - first, &m), 0);
	ck_assert_str_eq(m.text, "trusted");
}
END_TEST

/* An error, as firewalld sends it: name 5 bytes, answer to call 7, one string. */
/* Fields of 31 bytes, padded to 32, and a body of 11. */
static const char little[] = "l\3\1\1\x0b\0\0\0\x20\0\0\0\x1f\0\0\0"
			     "\4\1s\0\5\0\0\0a.b.c\0\0\0"
			     "\5\1u\0\7\0\0\0"
			     "\x08\1g\0\1s\0"
			     "\0"
			     "\6\0\0\0NO_ADD\0";
static const char big[] = "B\3\1\1\0\0\0\x0b\0\0\0\x20\0\0\0\x1f"
			  "\4\1s\0\0\0\0\5"
			  "a.b.c\0\0\0"
			  "\5\1u\0\0\0\0\7"
			  "\x08\1g\0\1s\0"
			  "\0"
			  "\0\0\0\6NO_ADD\0";

START_TEST(an_error_is_read_in_both_byte_orders)
{
	const char *data = _i ? big : little;
	struct cni_dbus_message m;
	size_t len;

	ck_assert_int_eq(cni_dbus_message_len((const uint8_t *)data, &len), 0);
	ck_assert_uint_eq(len, sizeof(little) - 1);
	ck_assert_int_eq(cni_dbus_message_read((const uint8_t *)data, len, &m), 0);
	ck_assert_uint_eq(m.type, CNI_DBUS_ERROR);
	ck_assert_uint_eq(m.reply_serial, 7);
	ck_assert_str_eq(m.error_name, "a.b.c");
	ck_assert_str_eq(m.text, "NO_ADD");
}
END_TEST

START_TEST(a_boolean_answer_is_read)
{
	char data[] = "l\2\1\1\4\0\0\0\x20\0\0\0\x0f\0\0\0"
		      "\5\1u\0\7\0\0\0"
		      "\x08\1g\0\1b\0"
		      "\0"
		      "\1\0\0\0";
	struct cni_dbus_message m;

	ck_assert_int_eq(cni_dbus_message_read((uint8_t *)data, sizeof(data) - 1, &m), 0);
	ck_assert(m.truth);
	data[sizeof(data) - 5] = 0;
	ck_assert_int_eq(cni_dbus_message_read((uint8_t *)data, sizeof(data) - 1, &m), 0);
	ck_assert(!m.truth);
}
END_TEST

START_TEST(no_cut_or_overlong_message_is_read)
{
	struct cni_dbus_message m;

	for (size_t len = 0; len < sizeof(little) - 1; len++) {
		uint8_t *copy = malloc(len ? len : 1); /* its end is watched */

		memcpy(copy, little, len);
		ck_assert_int_eq(cni_dbus_message_read(copy, len, &m), -EBADMSG);
		free(copy);
	}
	ck_assert_int_eq(cni_dbus_message_read((const uint8_t *)little, sizeof(little), &m),
			 -EBADMSG);
}
END_TEST

START_TEST(broken_messages_are_refused)
{
	static const struct {
		size_t at;
		char to;
	} breaks[] = {
		{ 0, 'x' }, /* byte order */
		{ 3, 2 }, /* version */
		{ 12, 0x7f }, /* fields longer than the message */
		{ 18, 'v' }, /* a field of a type that no field has */
		{ 20, 0x7f }, /* its string is longer than all */
		{ 20, 4 }, /* its string does not end where it says */
		{ 25, 0 }, /* a NUL inside */
		{ 48, 0x7f }, /* the body's string is longer than the body */
	};
	struct cni_dbus_message m;

	for (size_t i = 0; i < CNI_ARRAY_SIZE(breaks); i++) {
		char data[sizeof(little)];

		memcpy(data, little, sizeof(little));
		data[breaks[i].at] = breaks[i].to;
		ck_assert_msg(cni_dbus_message_read((uint8_t *)data, sizeof(data) - 1, &m) ==
				      -EBADMSG,
			      "byte %zu", breaks[i].at);
	}
}
END_TEST

START_TEST(a_message_longer_than_we_read_is_told_from_its_head)
{
	char head[] = "l\3\1\1\0\0\1\0\x20\0\0\0\x1f\0\0\0";
	size_t len;

	ck_assert_int_eq(cni_dbus_message_len((uint8_t *)head, &len), -EMSGSIZE);
	memcpy(head + 4, "\0\0\0\0\x20\0\0\0\0\0\1\0", 12);
	ck_assert_int_eq(cni_dbus_message_len((uint8_t *)head, &len), -EMSGSIZE);
	memcpy(head + 12, "\xff\xff\xff\xff", 4);
	ck_assert_int_eq(cni_dbus_message_len((uint8_t *)head, &len), -EMSGSIZE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dbus");
	TCase *tc = tcase_create("messages");

	tcase_add_test(tc, a_call_is_a_whole_message);
	tcase_add_test(tc, a_call_may_forbid_to_start_the_service);
	tcase_add_test(tc, a_call_without_arguments_has_no_body);
	tcase_add_test(tc, calls_follow_each_other_in_one_buffer);
	tcase_add_loop_test(tc, an_error_is_read_in_both_byte_orders, 0, 2);
	tcase_add_test(tc, a_boolean_answer_is_read);
	tcase_add_test(tc, no_cut_or_overlong_message_is_read);
	tcase_add_test(tc, broken_messages_are_refused);
	tcase_add_test(tc, a_message_longer_than_we_read_is_told_from_its_head);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
