/* The cipher of MeshAccess, on one AES-128 block function. */
#include "core/meshsec_crypt.h"

/* `make fuzz-canary` lets one byte too many pass, and the fuzzer must find it. */
#ifdef FUZZ_CANARY
#define PACKET_MAX (MESHSEC_PDU_MAX + 1)
#else
#define PACKET_MAX MESHSEC_PDU_MAX
#endif

static enum err derive(const struct aes128 *aes, const struct secret16 *key, uint8_t block[16],
	struct secret16 *out)
{
	enum err e = aes->encrypt(aes->ctx, key, block, out->b);

	if (e)
		secret16_wipe(out);
	return e;
}

enum err meshsec_crypt_user(
	const struct aes128 *aes, const struct secret16 *base, uint32_t n, struct secret16 *out)
{
	uint8_t block[16];
	struct wr w = wr_init(block, sizeof(block));

	wr_u32(&w, n);
	wr_zero(&w, 12);
	return derive(aes, base, block, out);
}

enum err meshsec_crypt_restrained(
	const struct aes128 *aes, const struct secret16 *node_key, struct secret16 *out)
{
	static const char label[16 + 1] = "RESTRAINED_KEY00";
	uint8_t block[16];

	memcpy(block, label, sizeof(block));
	return derive(aes, node_key, block, out);
}

enum err meshsec_crypt_dir(const struct aes128 *aes, const struct secret16 *ltk,
	uint16_t central_id, const uint8_t nonce[MESHSEC_NONCE_BYTES], struct meshsec_dir *out)
{
	uint8_t block[16];
	struct wr w = wr_init(block, sizeof(block));
	struct rd r = rd_init(nonce, MESHSEC_NONCE_BYTES);

	wr_u16(&w, central_id);
	wr_bytes(&w, nonce, MESHSEC_NONCE_BYTES);
	wr_zero(&w, 6);
	out->n0 = rd_u32(&r);
	out->n1 = rd_u32(&r);
	return derive(aes, ltk, block, &out->key);
}

/* AES(K, n0 ‖ n1 + step ‖ 0): step 0 is the keystream, 1 the mask of the MIC. */
static enum err keystream(
	const struct aes128 *aes, const struct meshsec_dir *dir, uint32_t step, uint8_t out[16])
{
	uint8_t block[16];
	struct wr w = wr_init(block, sizeof(block));

	wr_u32(&w, dir->n0);
	wr_u32(&w, dir->n1 + step);
	wr_zero(&w, 8);
	return aes->encrypt(aes->ctx, &dir->key, block, out);
}

static void xor_into(uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		a[i] ^= b[i];
}

/* Over the zero-padded ciphertext; the length is not authenticated (§3.5). */
static enum err mic(const struct aes128 *aes, const struct meshsec_dir *dir, const uint8_t *ct,
	size_t n, uint8_t out[MESHSEC_MIC_BYTES])
{
	uint8_t block[16], sum[16] = {0};
	enum err e = keystream(aes, dir, 1, block);

	if (!e) {
		xor_into(block, ct, n);
		e = aes->encrypt(aes->ctx, &dir->key, block, sum);
	}
	memcpy(out, sum, MESHSEC_MIC_BYTES);
	bytes_wipe(block, sizeof(block));
	bytes_wipe(sum, sizeof(sum));
	return e;
}

enum err meshsec_crypt_seal(const struct aes128 *aes, struct meshsec_dir *dir, const uint8_t *plain,
	size_t n, struct meshsec_pdu *pdu)
{
	uint8_t stream[16];
	enum err e = keystream(aes, dir, 0, stream);

	*pdu = (struct meshsec_pdu){0};
	if (!e) {
		memcpy(pdu->b, plain, n);
		xor_into(pdu->b, stream, n);
		e = mic(aes, dir, pdu->b, n, pdu->b + n);
	}
	bytes_wipe(stream, sizeof(stream));
	if (e) {
		bytes_wipe(pdu, sizeof(*pdu));
		return e;
	}
	pdu->len = (uint8_t)(n + MESHSEC_MIC_BYTES);
	dir->n1 += 2;
	return ERR_OK;
}

enum err meshsec_crypt_open(const struct aes128 *aes, struct meshsec_dir *dir,
	const uint8_t *packet, size_t n, uint8_t plain[MESHSEC_PLAIN_MAX], size_t *len)
{
	uint8_t expected[MESHSEC_MIC_BYTES], stream[16];
	enum err e;

	if (n <= MESHSEC_MIC_BYTES || n > PACKET_MAX)
		return ERR_AUTH;
	n -= MESHSEC_MIC_BYTES;
	e = mic(aes, dir, packet, n, expected);
	if (!e && !bytes_equal_ct(expected, packet + n, MESHSEC_MIC_BYTES))
		e = ERR_AUTH;
	if (!e)
		e = keystream(aes, dir, 0, stream);
	if (!e) {
		memcpy(plain, packet, n);
		xor_into(plain, stream, n);
		*len = n;
		dir->n1 += 2;
		bytes_wipe(stream, sizeof(stream));
	}
	bytes_wipe(expected, sizeof(expected));
	return e;
}
