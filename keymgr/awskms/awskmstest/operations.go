package awskmstest

// operation answers one call. It returns what is sent as JSON, nil for nothing,
// or an *apiError.
type operation func(*request) (any, error)

func (s *Server) operation(name string) operation {
	switch name {
	case "CreateKey":
		return s.createKey
	case "DescribeKey":
		return s.describeKey
	case "ListKeys":
		return s.listKeys
	case "UpdateKeyDescription":
		return s.updateKeyDescription
	case "ReplicateKey":
		return s.replicateKey
	case "UpdatePrimaryRegion":
		return s.updatePrimaryRegion

	case "EnableKey":
		return s.enableKey
	case "DisableKey":
		return s.disableKey
	case "ScheduleKeyDeletion":
		return s.scheduleKeyDeletion
	case "CancelKeyDeletion":
		return s.cancelKeyDeletion

	case "CreateAlias":
		return s.createAlias
	case "UpdateAlias":
		return s.updateAlias
	case "DeleteAlias":
		return s.deleteAlias
	case "ListAliases":
		return s.listAliases

	case "EnableKeyRotation":
		return s.enableKeyRotation
	case "DisableKeyRotation":
		return s.disableKeyRotation
	case "GetKeyRotationStatus":
		return s.getKeyRotationStatus
	case "RotateKeyOnDemand":
		return s.rotateKeyOnDemand
	case "ListKeyRotations":
		return s.listKeyRotations

	case "PutKeyPolicy":
		return s.putKeyPolicy
	case "GetKeyPolicy":
		return s.getKeyPolicy
	case "ListKeyPolicies":
		return s.listKeyPolicies

	case "CreateGrant":
		return s.createGrant
	case "ListGrants":
		return s.listGrants
	case "ListRetirableGrants":
		return s.listRetirableGrants
	case "RevokeGrant":
		return s.revokeGrant
	case "RetireGrant":
		return s.retireGrant

	case "TagResource":
		return s.tagResource
	case "UntagResource":
		return s.untagResource
	case "ListResourceTags":
		return s.listResourceTags

	case "Encrypt":
		return s.encrypt
	case "Decrypt":
		return s.decrypt
	case "ReEncrypt":
		return s.reEncrypt
	case "GenerateDataKey":
		return s.generateDataKey
	case "GenerateDataKeyWithoutPlaintext":
		return s.generateDataKeyWithoutPlaintext
	case "GenerateRandom":
		return s.generateRandom
	}
	return nil
}
