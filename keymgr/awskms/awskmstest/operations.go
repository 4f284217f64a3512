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
